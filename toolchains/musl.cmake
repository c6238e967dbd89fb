# What the toolchain files of musl have in common: static programs, as small as they get, by Debian's GCC for the GNU triplet. The file that includes
# it sets what common.cmake wants, and
#
#   pollux_musl  musl's triplet: the name of the sysroot
#
# Not position-independent: smaller, and what is linked for a fixed address has no use for it.

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH pollux_root)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES POLLUX_SYSROOT)
if(NOT POLLUX_SYSROOT)
  set(POLLUX_SYSROOT "${pollux_root}/build/sysroot/${pollux_musl}")
endif()
if(NOT EXISTS "${POLLUX_SYSROOT}/musl.specs")
  message(FATAL_ERROR "There is no sysroot with musl in ${POLLUX_SYSROOT}. Type:\n"
                      "  toolchains/setup ${pollux_preset}\n"
                      "or, without installing anything:\n"
                      "  toolchains/sysroot ${pollux_musl}")
endif()
list(PREPEND pollux_abi "-specs=${POLLUX_SYSROOT}/musl.specs" -static -fno-pie)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

set(CMAKE_LIBRARY_ARCHITECTURE ${pollux_musl})
# Nothing of glibc's folder: headers and libraries there are not for musl.
set(CMAKE_FIND_ROOT_PATH "${POLLUX_SYSROOT}")
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(POLLUX_STATIC ON)
if(POLLUX_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${POLLUX_EMULATOR} ${pollux_emulator}) # a static program needs no loader
endif()
