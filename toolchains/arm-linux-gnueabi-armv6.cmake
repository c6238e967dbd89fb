# 32-bit ARMv6 with floating point: Raspberry Pi 1 and Zero. Debian's armhf is ARMv7 code that ends with SIGILL there, so this takes the armel
# compiler and C library (ARMv5TE, floating point in software between functions) and lets our code use the processor's. Programs run on
# any ARM Linux that has armel's C library, or anywhere if they are linked with -static.
set(pollux_triple arm-linux-gnueabi)
set(pollux_processor armv6)
set(pollux_preset armv6)
set(pollux_emulator qemu-arm -cpu arm1176)
set(pollux_abi -march=armv6k+fp -mfloat-abi=softfp -marm -mtune=arm1176jzf-s -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Wno-psabi)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
