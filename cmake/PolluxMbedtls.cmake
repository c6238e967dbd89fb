# Which mbedTLS pollux is built with: our own build of its source tree (bounded memory), or the one that is installed.
#
#   POLLUX_MBEDTLS_SOURCE  the unpacked source of mbedTLS 3.6 (toolchains/mbedtls brings it); empty: the installed library
#
# Makes the target pollux::mbedtls and the variable POLLUX_MBEDTLS_OURS.

set(POLLUX_MBEDTLS_SOURCE "" CACHE PATH "Source tree of mbedTLS 3.6, built with toolchains/mbedtls_config.h")

set(POLLUX_MBEDTLS_OURS OFF)
if(POLLUX_MBEDTLS_SOURCE AND NOT EXISTS "${POLLUX_MBEDTLS_SOURCE}/library/ssl_tls.c")
  message(WARNING "No mbedTLS source in ${POLLUX_MBEDTLS_SOURCE}. Bring it with:  toolchains/mbedtls\n"
                  "Looking for an installed mbedTLS instead: it takes its memory from the heap.")
elseif(POLLUX_MBEDTLS_SOURCE)
  set(POLLUX_MBEDTLS_OURS ON)
endif()

if(POLLUX_MBEDTLS_OURS)
  file(STRINGS "${POLLUX_MBEDTLS_SOURCE}/include/mbedtls/build_info.h" pollux_mbedtls_version
       REGEX "define MBEDTLS_VERSION_STRING ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" pollux_mbedtls_version "${pollux_mbedtls_version}")
  if(NOT pollux_mbedtls_version VERSION_GREATER_EQUAL 3.6 OR NOT pollux_mbedtls_version VERSION_LESS 4)
    message(FATAL_ERROR "POLLUX_MBEDTLS_SOURCE is mbedTLS ${pollux_mbedtls_version}; pollux builds 3.6 (toolchains/mbedtls brings it)")
  endif()
  message(STATUS "mbedTLS ${pollux_mbedtls_version} from source, in a fixed arena")
  file(GLOB pollux_mbedtls_sources "${POLLUX_MBEDTLS_SOURCE}/library/*.c")
  add_library(pollux_mbedtls STATIC ${pollux_mbedtls_sources})
  target_include_directories(
    pollux_mbedtls SYSTEM
    PUBLIC $<BUILD_INTERFACE:${POLLUX_MBEDTLS_SOURCE}/include>
    PRIVATE "${POLLUX_MBEDTLS_SOURCE}/library")
  target_compile_definitions(
    pollux_mbedtls PUBLIC $<BUILD_INTERFACE:MBEDTLS_CONFIG_FILE="${POLLUX_ROOT}toolchains/mbedtls_config.h">)
  # Somebody else's code: its warnings are not ours, and its speed is wanted in a debug build too.
  target_compile_options(pollux_mbedtls PRIVATE -w -ffunction-sections -fdata-sections $<$<CONFIG:Debug>:-O2>)
  set_target_properties(pollux_mbedtls PROPERTIES EXPORT_NAME mbedtls POSITION_INDEPENDENT_CODE ON C_EXTENSIONS ON)
  add_library(pollux::mbedtls ALIAS pollux_mbedtls)
  set_property(GLOBAL APPEND PROPERTY POLLUX_LIBRARIES pollux_mbedtls)
else()
  find_path(POLLUX_MBEDTLS_INCLUDE mbedtls/ssl.h)
  find_library(POLLUX_MBEDTLS_LIBRARY mbedtls)
  find_library(POLLUX_MBEDX509_LIBRARY mbedx509)
  find_library(POLLUX_MBEDCRYPTO_LIBRARY mbedcrypto)
  if(NOT POLLUX_MBEDTLS_INCLUDE OR NOT POLLUX_MBEDTLS_LIBRARY OR NOT POLLUX_MBEDX509_LIBRARY OR NOT POLLUX_MBEDCRYPTO_LIBRARY)
    message(FATAL_ERROR "mbedTLS is missing. One of:\n"
                        "  toolchains/mbedtls                        our own build of its source, in bounded memory\n"
                        "  apt-get install libmbedtls-dev            the installed library, which uses the heap\n"
                        "  cmake -DPOLLUX_TLS=OFF ...                no https")
  endif()
  message(STATUS "mbedTLS as installed: ${POLLUX_MBEDTLS_LIBRARY} (memory from the heap)")
  add_library(pollux_mbedtls INTERFACE)
  target_include_directories(pollux_mbedtls SYSTEM INTERFACE $<BUILD_INTERFACE:${POLLUX_MBEDTLS_INCLUDE}>)
  target_link_libraries(pollux_mbedtls INTERFACE ${POLLUX_MBEDTLS_LIBRARY} ${POLLUX_MBEDX509_LIBRARY} ${POLLUX_MBEDCRYPTO_LIBRARY})
  set_target_properties(pollux_mbedtls PROPERTIES EXPORT_NAME mbedtls)
  add_library(pollux::mbedtls ALIAS pollux_mbedtls)
  set_property(GLOBAL APPEND PROPERTY POLLUX_LIBRARIES pollux_mbedtls)
endif()
