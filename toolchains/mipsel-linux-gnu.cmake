# 32-bit little-endian MIPS (MIPS32 release 2, hard float): many routers. Devices without a floating-point unit let the kernel emulate it.
set(pollux_triple mipsel-linux-gnu)
set(pollux_processor mipsel)
set(pollux_preset mipsel)
set(pollux_emulator qemu-mipsel -cpu 24Kf)
set(pollux_abi -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
