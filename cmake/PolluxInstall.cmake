# What `cmake --install` puts where, and how others find it: find_package(pollux CONFIG), also in the build tree, and pkg-config.
#
#   include/pollux/{port,stack,board}/...   headers; include them as "stack/http/server.hpp"
#   lib/libpollux_*.a                       the libraries (on Debian lib/TRIPLET/...); libpollux_mbedtls.a is our own build of mbedTLS
#   lib/cmake/pollux/                       pollux::port, pollux::linux_port, pollux::wire, pollux::tls, pollux::http, pollux::server ...
#   lib/pkgconfig/pollux.pc                 the same as pollux::server; pollux-testing.pc adds the simulator
#
# Install component `development` is the library, `testing` the ports that tests use (sim, fault), `programs` the apps, `device`
# pollux-device with what starts it. Debian packages are made of them: cmake/PolluxPackages.cmake.
include(CMakePackageConfigHelpers)

set(pollux_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/pollux")

# pollux_is_for_tests(VARIABLE TARGET): whether TARGET is one of the ports that only tests use.
function(pollux_is_for_tests variable target)
  set(${variable} OFF PARENT_SCOPE)
  if(target MATCHES "^pollux_(sim|fault)_port$")
    set(${variable} ON PARENT_SCOPE)
  endif()
endfunction()

# ---- libraries and headers

get_property(pollux_libraries GLOBAL PROPERTY POLLUX_LIBRARIES)
set(pollux_has_testing OFF)
foreach(library ${pollux_libraries})
  pollux_is_for_tests(is_for_tests ${library})
  if(is_for_tests)
    set(pollux_has_testing ON)
    install(TARGETS ${library} EXPORT polluxTestingTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT testing)
  else()
    install(TARGETS ${library} EXPORT polluxTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  endif()
endforeach()

install(
  DIRECTORY "${POLLUX_ROOT}/port" "${POLLUX_ROOT}/stack" "${POLLUX_ROOT}/board"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/pollux"
  COMPONENT development
  FILES_MATCHING
  PATTERN "*.hpp"
  PATTERN "port/sim" EXCLUDE
  PATTERN "port/fault" EXCLUDE
  # Folders without headers.
  PATTERN "board/init" EXCLUDE
  PATTERN "board/systemd" EXCLUDE
  PATTERN "board/*/boot" EXCLUDE
  # Inside stack/tls only: they include mbedTLS's headers, which are not ours to install.
  PATTERN "stack/tls/mbedtls.hpp" EXCLUDE
  PATTERN "stack/tls/session_hooks.hpp" EXCLUDE
  PATTERN "stack/tls/x509.hpp" EXCLUDE)
install(
  DIRECTORY "${POLLUX_ROOT}/port/sim" "${POLLUX_ROOT}/port/fault"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/pollux/port"
  COMPONENT testing
  FILES_MATCHING
  PATTERN "*.hpp")
install(FILES "${POLLUX_ROOT}/LICENSE" "${POLLUX_ROOT}/README.md" DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
if(POLLUX_TLS AND POLLUX_MBEDTLS_OURS)
  # Its code is in our libraries and programs. (A source tree of one's own may have it elsewhere.)
  foreach(component development programs device)
    install(FILES "${POLLUX_MBEDTLS_SOURCE}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.mbedtls
            COMPONENT ${component} OPTIONAL)
  endforeach()
endif()

# ---- libraries of others

# What our libraries link of them: how they stand in INTERFACE_LINK_LIBRARIES, and how those who use pollux find them, in CMake and in
# pkg-config (Requires.private, Libs.private: `pkg-config --static --libs pollux` is for programs that use the client, or TLS).
set(pollux_outside_targets "")
set(pollux_find_dependencies "")
set(pollux_pc_requires_private "")
set(pollux_pc_libs_private "")
if(POLLUX_GZIP)
  list(APPEND pollux_outside_targets "$<LINK_ONLY:ZLIB::ZLIB>")
  string(APPEND pollux_find_dependencies "find_dependency(ZLIB)\n")
  string(APPEND pollux_pc_requires_private " zlib")
endif()
if(POLLUX_TLS)
  list(APPEND pollux_outside_targets "$<LINK_ONLY:pollux::mbedtls>")
  if(POLLUX_MBEDTLS_OURS)
    set(pollux_pc_libs_private " -lpollux_mbedtls")
  else()
    get_target_property(names pollux_mbedtls INTERFACE_LINK_LIBRARIES)
    foreach(name IN LISTS names)
      if(NOT IS_ABSOLUTE "${name}")
        string(PREPEND name "-l")
      endif()
      string(APPEND pollux_pc_libs_private " ${name}")
    endforeach()
  endif()
endif()

# ---- CMake package

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/polluxConfig.cmake.in" "${PROJECT_BINARY_DIR}/polluxConfig.cmake"
                              INSTALL_DESTINATION "${pollux_config_dir}" NO_SET_AND_CHECK_MACRO)
# 0.x: a new minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/polluxConfig.cmake" "${PROJECT_BINARY_DIR}/polluxConfigVersion.cmake"
        DESTINATION "${pollux_config_dir}" COMPONENT development)

install(EXPORT polluxTargets NAMESPACE pollux:: DESTINATION "${pollux_config_dir}" COMPONENT development)
export(EXPORT polluxTargets NAMESPACE pollux:: FILE "${PROJECT_BINARY_DIR}/polluxTargets.cmake")
if(pollux_has_testing)
  install(EXPORT polluxTestingTargets NAMESPACE pollux:: DESTINATION "${pollux_config_dir}" COMPONENT testing)
  export(EXPORT polluxTestingTargets NAMESPACE pollux:: FILE "${PROJECT_BINARY_DIR}/polluxTestingTargets.cmake")
endif()

# ---- pkg-config

# pollux_link_order(VARIABLE TARGET): our static libraries that TARGET needs, each before those it needs itself, which is the order a
# linker that reads archives once wants them in. Target names of ours are pollux_NAME or pollux::NAME.
function(pollux_link_order variable target)
  set(order ${${variable}})
  get_target_property(needs ${target} INTERFACE_LINK_LIBRARIES)
  foreach(need IN LISTS needs)
    if(NOT need)
      continue()
    endif()
    if(need IN_LIST pollux_outside_targets)
      continue()
    endif()
    if(NOT need MATCHES "^pollux(::|_)")
      message(FATAL_ERROR "${target} links ${need}: say in cmake/PolluxInstall.cmake what that is for pkg-config")
    endif()
    string(REPLACE "::" "_" need "${need}")
    pollux_link_order(order ${need})
  endforeach()
  list(FIND order ${target} at)
  if(at EQUAL -1)
    list(PREPEND order ${target})
  endif()
  set(${variable} ${order} PARENT_SCOPE)
endfunction()

# pollux_package_flags(CFLAGS LIBS TARGETS...): the pkg-config text of these targets.
function(pollux_package_flags cflags_variable libs_variable)
  set(cflags "")
  set(libs "")
  foreach(target IN LISTS ARGN)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL STATIC_LIBRARY)
      string(APPEND libs " -l${target}")
    endif()
    get_target_property(definitions ${target} INTERFACE_COMPILE_DEFINITIONS)
    if(definitions)
      foreach(definition IN LISTS definitions)
        string(APPEND cflags " -D${definition}")
      endforeach()
    endif()
  endforeach()
  set(${cflags_variable} "${cflags}" PARENT_SCOPE)
  set(${libs_variable} "${libs}" PARENT_SCOPE)
endfunction()

# From the folder of the .pc file to the prefix, so that the installed tree can be moved.
set(pollux_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pollux_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pollux_pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pollux_pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH pollux_pc_up "/prefix/${pollux_pc_dir}" "/prefix")
  string(REGEX REPLACE "/$" "" pollux_pc_up "${pollux_pc_up}")
  set(pollux_pc_prefix "\${pcfiledir}/${pollux_pc_up}")
  set(pollux_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pollux_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()

pollux_link_order(pollux_server_libraries pollux_server)
pollux_package_flags(pollux_pc_cflags pollux_pc_libs ${pollux_server_libraries})
configure_file("${CMAKE_CURRENT_LIST_DIR}/pollux.pc.in" "${PROJECT_BINARY_DIR}/pollux.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/pollux.pc" DESTINATION "${pollux_pc_dir}" COMPONENT development)

if(pollux_has_testing)
  set(pollux_testing_libraries "")
  foreach(library ${pollux_libraries})
    pollux_is_for_tests(is_for_tests ${library})
    if(is_for_tests)
      pollux_link_order(pollux_testing_libraries ${library})
    endif()
  endforeach()
  list(REMOVE_ITEM pollux_testing_libraries ${pollux_server_libraries})  # they come with `Requires: pollux`
  pollux_package_flags(pollux_pc_testing_cflags pollux_pc_testing_libs ${pollux_testing_libraries})
  configure_file("${CMAKE_CURRENT_LIST_DIR}/pollux-testing.pc.in" "${PROJECT_BINARY_DIR}/pollux-testing.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/pollux-testing.pc" DESTINATION "${pollux_pc_dir}" COMPONENT testing)
endif()
