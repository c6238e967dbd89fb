# 32-bit ARM with floating point (ARMv7-A, Thumb-2): BeagleBone, Raspberry Pi 2. Not for ARMv6: Debian's C library for this triple is ARMv7 code.
set(pollux_triple arm-linux-gnueabihf)
set(pollux_processor armv7-a)
set(pollux_preset armhf)
set(pollux_emulator qemu-arm -cpu cortex-a7)
# 64-bit file sizes and times (feature_test_macros(7)); without -Wno-psabi GCC notes for every second file that GCC 7 changed the ABI.
set(pollux_abi -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Wno-psabi)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
