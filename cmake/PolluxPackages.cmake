# Debian packages, by CPack: cmake --build --preset host --target deb, or cpack --preset host once everything is built. They are in
# <build>/packages.
#
#   libpollux-dev          component development: static libraries, headers, what CMake and pkg-config need. There is no package with a shared
#                          library: the sizes of storage are compiled into every program (templates over its limits), and 0.x promises no ABI
#   libpollux-testing-dev  component testing: the simulated network for the tests of firmware
#   pollux-tools           component programs: pollux-fetch, pollux-load, pollux-gateway and the rest
#   pollux-device          component device: the program with its units; started when it is installed, on loopback
#
# cmake/debian has what a package needs besides files of ours; stage.cmake there puts it in. The version is that of the project, and
# cmake/debian/changelog must have it.

set(POLLUX_PACKAGE_MAINTAINER "pollux authors <pollux@packages.invalid>" CACHE STRING "The field Maintainer of Debian packages")
mark_as_advanced(POLLUX_PACKAGE_MAINTAINER)

# pollux_debian_architecture(VARIABLE): Debian's name of the architecture that is built for; empty if Debian has none, as for musl, and as for
# ARMv6 with floating point: its armel is ARMv5 without.
function(pollux_debian_architecture variable)
  set(architecture "")
  set(x86_64-linux-gnu amd64)
  set(i386-linux-gnu i386)
  set(aarch64-linux-gnu arm64)
  set(arm-linux-gnueabihf armhf)
  set(riscv64-linux-gnu riscv64)
  set(mipsel-linux-gnu mipsel)
  if(CMAKE_LIBRARY_ARCHITECTURE AND DEFINED ${CMAKE_LIBRARY_ARCHITECTURE})
    set(architecture ${${CMAKE_LIBRARY_ARCHITECTURE}})
  endif()
  set(${variable} "${architecture}" PARENT_SCOPE)
endfunction()

pollux_debian_architecture(pollux_architecture)
if(NOT pollux_architecture)
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_NAME pollux)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR "pollux")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # else it is every package's first line
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL development)
if(pollux_has_testing)
  list(APPEND CPACK_COMPONENTS_ALL testing)
endif()
if(POLLUX_APPS)
  list(APPEND CPACK_COMPONENTS_ALL programs device)
endif()
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${pollux_architecture})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${POLLUX_PACKAGE_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SOURCE pollux)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# dpkg-shlibdeps knows the packages of this machine only; for others stage.cmake looks itself.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
endif()

# What a program that is linked with the static libraries needs besides.
set(pollux_development_depends "libc6-dev")
if(POLLUX_GZIP)
  string(APPEND pollux_development_depends ", zlib1g-dev")
endif()
if(POLLUX_TLS AND NOT POLLUX_MBEDTLS_OURS)
  string(APPEND pollux_development_depends ", libmbedtls-dev")
endif()

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libpollux-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${pollux_development_depends}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libpollux-testing-dev, pkg-config")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "HTTP stack for Linux single-board computers (development)
HTTP/1.1 server, client, connection pool and name resolver, in clear text
and over TLS, on pools of a fixed size and one thread in a poll loop. Nothing
is allocated after start.
.
This package has the static libraries, the headers, and the files for CMake
and pkg-config. There is no shared library: how large a program's memory
is, is compiled into it.")

set(CPACK_DEBIAN_TESTING_PACKAGE_NAME libpollux-testing-dev)
set(CPACK_DEBIAN_TESTING_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_TESTING_PACKAGE_DEPENDS "libpollux-dev (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TESTING_DESCRIPTION
    "HTTP stack for Linux single-board computers (simulated network)
HTTP/1.1 server, client, connection pool and name resolver, in clear text
and over TLS, on pools of a fixed size and one thread in a poll loop. Nothing
is allocated after start.
.
This package has two more ports for tests of programs that use it: one with a
virtual network, clock, names and files, one that lets any call fail.")

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME pollux-tools)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION web)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PROGRAMS_DESCRIPTION
    "small HTTP client, load generator, reverse proxy and test server
Programs for boards with little memory, each of which takes all it will
ever need when it starts:
pollux-fetch (a client with the flags of curl), pollux-load (a load
generator with latency percentiles), pollux-gateway (a reverse proxy),
pollux-httpbin (answers for testing clients) and pollux-hello (the
smallest server).")

set(CPACK_DEBIAN_DEVICE_PACKAGE_NAME pollux-device)
set(CPACK_DEBIAN_DEVICE_PACKAGE_SECTION web)
set(CPACK_DEBIAN_DEVICE_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers")  # the group, see postinst
set(pollux_maintainer_scripts postinst prerm postrm conffiles)
list(TRANSFORM pollux_maintainer_scripts PREPEND "${CMAKE_CURRENT_LIST_DIR}/debian/")
set(CPACK_DEBIAN_DEVICE_PACKAGE_CONTROL_EXTRA ${pollux_maintainer_scripts})
if(pollux_architecture STREQUAL armhf)
  foreach(component PROGRAMS DEVICE)
    list(APPEND CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_LIST_DIR}/debian/armhf/preinst")
  endforeach()
endif()
set(CPACK_DEBIAN_DEVICE_DESCRIPTION
    "REST interface and dashboard of a single-board computer
Shows the status of the machine it runs on (model, load, memory, disk,
temperatures, network), switches its LEDs and takes firmware images: as JSON,
as a page, and as metrics for Prometheus. All memory is taken at the start.
.
It is started with the system and listens on 127.0.0.1 until it is told
otherwise: it has no passwords.")

# ---- for stage.cmake

set(CPACK_POLLUX_DEBIAN "${CMAKE_CURRENT_LIST_DIR}/debian")
set(CPACK_POLLUX_ROOT "${POLLUX_ROOT}")
set(CPACK_POLLUX_STRIP "${CMAKE_STRIP}")
set(CPACK_POLLUX_EMULATOR "${CMAKE_CROSSCOMPILING_EMULATOR}")
set(CPACK_POLLUX_CROSSCOMPILING "${CMAKE_CROSSCOMPILING}")
set(CPACK_POLLUX_LIBRARY_ARCHITECTURE "${CMAKE_LIBRARY_ARCHITECTURE}")
set(CPACK_POLLUX_SERVICES "${PROJECT_BINARY_DIR}/debian")
if(POLLUX_APPS)
  pollux_board_services("${CPACK_POLLUX_SERVICES}" /usr/bin)
endif()
set(CPACK_POLLUX_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
set(CPACK_PROJECT_CONFIG_FILE "${CMAKE_CURRENT_LIST_DIR}/debian/options.cmake")
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/debian/stage.cmake")
include(CPack)

# The target `package`, which CMake makes, waits for all tests and benchmarks too; this one builds what goes in.
get_property(pollux_packaged GLOBAL PROPERTY POLLUX_LIBRARIES)
if(POLLUX_APPS)
  get_property(pollux_programs GLOBAL PROPERTY POLLUX_PROGRAMS)
  list(APPEND pollux_packaged ${pollux_programs})
endif()
add_custom_target(
  deb
  COMMAND "${CMAKE_CPACK_COMMAND}" --config "${PROJECT_BINARY_DIR}/CPackConfig.cmake"
  WORKING_DIRECTORY "${PROJECT_BINARY_DIR}"
  USES_TERMINAL VERBATIM)
add_dependencies(deb ${pollux_packaged})
