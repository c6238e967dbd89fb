# 64-bit ARM, musl, static: any Linux of such a machine, whatever C library it has.
set(pollux_triple aarch64-linux-gnu)
set(pollux_musl aarch64-linux-musl)
set(pollux_processor aarch64)
set(pollux_preset aarch64-musl)
set(pollux_emulator qemu-aarch64 -cpu cortex-a53)
set(pollux_abi "")
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
