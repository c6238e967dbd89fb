# 64-bit ARM (ARMv8-A): Raspberry Pi 3, 4, 5 and Zero 2, and most boards of today.
set(pollux_triple aarch64-linux-gnu)
set(pollux_processor aarch64)
set(pollux_preset aarch64)
set(pollux_emulator qemu-aarch64 -cpu cortex-a53)
set(pollux_abi "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
