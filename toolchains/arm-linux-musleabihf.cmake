# 32-bit ARM with floating point (ARMv7-A, Thumb-2), musl, static: any Linux of such a machine, whatever C library it has.
set(pollux_triple arm-linux-gnueabihf)
set(pollux_musl arm-linux-musleabihf)
set(pollux_processor armv7-a)
set(pollux_preset armhf-musl)
set(pollux_emulator qemu-arm -cpu cortex-a7)
# musl's times and file sizes have 64 bits. Without -Wno-psabi GCC notes for every second file that GCC 7 changed the ABI.
set(pollux_abi -Wno-psabi)
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
