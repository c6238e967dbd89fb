# 64-bit RISC-V (RV64GC): VisionFive 2 and other boards with Debian's architecture riscv64.
set(pollux_triple riscv64-linux-gnu)
set(pollux_processor riscv64)
set(pollux_preset riscv64)
set(pollux_emulator qemu-riscv64)
set(pollux_abi "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
