# What every toolchain file of this folder has in common. The file that includes it sets
#
#   pollux_triple    GNU triplet of the cross compiler: TRIPLE-gcc, its C library in /usr/TRIPLE
#   pollux_processor CMAKE_SYSTEM_PROCESSOR
#   pollux_preset    the preset that uses it, for messages
#   pollux_emulator  the command that runs its programs: qemu-user and the processor it plays
#   pollux_abi       flags that every object of this target must be compiled with
#
# Variables of the user: POLLUX_SYSROOT, the folder with the libraries of others (default: build/sysroot/TRIPLE, which
# toolchains/sysroot makes). Flags for a processor are a board's: CMAKE_C_FLAGS and CMAKE_CXX_FLAGS.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${pollux_processor})
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH pollux_toolchain_root)

# try_compile() reads this file again, in a scope of its own.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES POLLUX_SYSROOT)

# ---- the compiler

find_program(POLLUX_CROSS_GCC ${pollux_triple}-gcc)
find_program(POLLUX_CROSS_GXX ${pollux_triple}-g++)
mark_as_advanced(POLLUX_CROSS_GCC POLLUX_CROSS_GXX)
if(NOT POLLUX_CROSS_GCC OR NOT POLLUX_CROSS_GXX)
  message(FATAL_ERROR "The cross compiler ${pollux_triple}-g++ is missing. Type:\n"
                      "  toolchains/setup ${pollux_preset}\n"
                      "or, without what the tests need:\n"
                      "  apt-get install --no-install-recommends g++-${pollux_triple}")
endif()
# What the ABI depends on is a part of the command: CMAKE_C_FLAGS given on the command line replaces CMAKE_C_FLAGS_INIT, and objects
# with 32-bit times among others with 64-bit ones would link without a word.
set(CMAKE_C_COMPILER ${POLLUX_CROSS_GCC} ${pollux_abi})
set(CMAKE_CXX_COMPILER ${POLLUX_CROSS_GXX} ${pollux_abi})
set(CMAKE_ASM_COMPILER ${POLLUX_CROSS_GCC} ${pollux_abi})
# The wrappers know the linker plugin: archives of LTO objects.
set(CMAKE_AR ${pollux_triple}-gcc-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${pollux_triple}-gcc-ranlib CACHE FILEPATH "")
set(CMAKE_STRIP ${pollux_triple}-strip CACHE FILEPATH "")
set(CMAKE_LIBRARY_ARCHITECTURE ${pollux_triple})

# ---- the sysroot

# GCC takes the C library's headers and its libraries from /usr/TRIPLE whatever the sysroot is; the sysroot keeps the headers of this
# machine out, and brings the libraries of others.
if(NOT POLLUX_SYSROOT)
  set(POLLUX_SYSROOT "${pollux_toolchain_root}/build/sysroot/${pollux_triple}")
endif()
if(NOT EXISTS "${POLLUX_SYSROOT}")
  message(FATAL_ERROR "There is no sysroot ${POLLUX_SYSROOT}. Type:\n"
                      "  toolchains/setup ${pollux_preset}\n"
                      "or, without installing anything:\n"
                      "  toolchains/sysroot ${pollux_triple}")
endif()
set(CMAKE_SYSROOT "${POLLUX_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH "${POLLUX_SYSROOT}" "/usr/${pollux_triple}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${POLLUX_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR} "${POLLUX_SYSROOT}/usr/lib/${pollux_triple}/pkgconfig:${POLLUX_SYSROOT}/usr/share/pkgconfig")

# ---- the emulator: `ctest` runs programs of the target here

list(GET pollux_emulator 0 pollux_emulator_name)
find_program(POLLUX_EMULATOR ${pollux_emulator_name})
mark_as_advanced(POLLUX_EMULATOR)
if(POLLUX_EMULATOR)
  list(REMOVE_AT pollux_emulator 0)
  # The C library and its loader are the cross compiler's; the libraries of others are in the sysroot.
  set(CMAKE_CROSSCOMPILING_EMULATOR
      ${POLLUX_EMULATOR} ${pollux_emulator} -L "/usr/${pollux_triple}" -E
      "LD_LIBRARY_PATH=${POLLUX_SYSROOT}/usr/lib/${pollux_triple}:${POLLUX_SYSROOT}/lib/${pollux_triple}")
endif()
