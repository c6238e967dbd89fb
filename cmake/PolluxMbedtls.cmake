# Which mbedTLS pollux is built with: our own build of its source tree (bounded memory), or the one that is installed.
#
#   POLLUX_MBEDTLS_SOURCE  the unpacked source of mbedTLS 3.6 (toolchains/mbedtls brings it); empty: the installed library
#
# Makes the target pollux::mbedtls and the variable POLLUX_MBEDTLS_OURS.

set(POLLUX_MBEDTLS_SOURCE "" CACHE PATH "Source tree of mbedTLS 3.6, built with toolchains/mbedtls_config.h; empty: the installed library")

# pollux_mbedtls_version(VARIABLE INCLUDE): the version of the headers in INCLUDE, "" if there are none.
function(pollux_mbedtls_version variable include)
  set(version "")
  foreach(header version.h build_info.h)  # 2.28 has it in the first, 3.6 in the second
    if(EXISTS "${include}/mbedtls/${header}")
      file(STRINGS "${include}/mbedtls/${header}" line REGEX "define MBEDTLS_VERSION_STRING ")
      if(line MATCHES "[0-9]+\\.[0-9]+\\.[0-9]+")
        set(version "${CMAKE_MATCH_0}")
      endif()
    endif()
  endforeach()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()

# pollux_find_installed_mbedtls(TARGET): an interface library of the mbedTLS that is installed. Makes no target if there is none.
function(pollux_find_installed_mbedtls target)
  find_path(POLLUX_MBEDTLS_INCLUDE mbedtls/ssl.h)
  find_library(POLLUX_MBEDTLS_LIBRARY mbedtls)
  find_library(POLLUX_MBEDX509_LIBRARY mbedx509)
  find_library(POLLUX_MBEDCRYPTO_LIBRARY mbedcrypto)
  mark_as_advanced(POLLUX_MBEDTLS_INCLUDE POLLUX_MBEDTLS_LIBRARY POLLUX_MBEDX509_LIBRARY POLLUX_MBEDCRYPTO_LIBRARY)
  if(NOT POLLUX_MBEDTLS_INCLUDE OR NOT POLLUX_MBEDTLS_LIBRARY OR NOT POLLUX_MBEDX509_LIBRARY OR NOT POLLUX_MBEDCRYPTO_LIBRARY)
    return()
  endif()
  pollux_mbedtls_version(version "${POLLUX_MBEDTLS_INCLUDE}")
  if(version VERSION_LESS 2.28 OR NOT version VERSION_LESS 4)
    message(STATUS "mbedTLS ${version} in ${POLLUX_MBEDTLS_INCLUDE} is passed over: pollux knows 2.28 to 3.6")
    return()
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE $<BUILD_INTERFACE:${POLLUX_MBEDTLS_INCLUDE}>)
  # What the compiler finds by itself is named without its folder: the installed pollux may be used on another machine.
  set(names "")
  foreach(library "${POLLUX_MBEDTLS_LIBRARY}" "${POLLUX_MBEDX509_LIBRARY}" "${POLLUX_MBEDCRYPTO_LIBRARY}")
    cmake_path(GET library PARENT_PATH folder)
    if(folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
      cmake_path(GET library STEM name)
      string(REGEX REPLACE "^lib" "" name "${name}")
      list(APPEND names ${name})
    else()
      list(APPEND names "${library}")
    endif()
  endforeach()
  target_link_libraries(${target} INTERFACE ${names})
  set_target_properties(${target} PROPERTIES POLLUX_VERSION "${version}")
endfunction()

set(pollux_mbedtls_ways
    "  toolchains/mbedtls                   our own build of its source, in bounded memory, where the presets look for it\n"
    "  apt-get install libmbedtls-dev       the installed library, which takes its memory from the heap\n"
    "  cmake -DPOLLUX_TLS=OFF ...           no https")
string(JOIN "" pollux_mbedtls_ways ${pollux_mbedtls_ways})

set(POLLUX_MBEDTLS_OURS OFF)
if(POLLUX_MBEDTLS_SOURCE AND EXISTS "${POLLUX_MBEDTLS_SOURCE}/library/ssl_tls.c")
  set(POLLUX_MBEDTLS_OURS ON)
endif()

if(POLLUX_MBEDTLS_OURS)
  pollux_mbedtls_version(pollux_mbedtls_version "${POLLUX_MBEDTLS_SOURCE}/include")
  if(NOT pollux_mbedtls_version VERSION_GREATER_EQUAL 3.6 OR NOT pollux_mbedtls_version VERSION_LESS 3.7)
    message(FATAL_ERROR "POLLUX_MBEDTLS_SOURCE is mbedTLS \"${pollux_mbedtls_version}\"; pollux builds 3.6 (toolchains/mbedtls brings it)")
  endif()
  message(STATUS "mbedTLS ${pollux_mbedtls_version} from ${POLLUX_MBEDTLS_SOURCE}, in a fixed arena")
  file(GLOB pollux_mbedtls_sources CONFIGURE_DEPENDS "${POLLUX_MBEDTLS_SOURCE}/library/*.c")
  # X25519 by the verified code that comes with mbedTLS: a third of the time, see MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED.
  set(pollux_everest "${POLLUX_MBEDTLS_SOURCE}/3rdparty/everest")
  foreach(name everest x25519 Hacl_Curve25519_joined)
    list(APPEND pollux_mbedtls_sources "${pollux_everest}/library/${name}.c")
  endforeach()
  add_library(pollux_mbedtls STATIC ${pollux_mbedtls_sources} "${POLLUX_ROOT}toolchains/mbedtls_x25519.c")
  target_include_directories(
    pollux_mbedtls SYSTEM
    PUBLIC $<BUILD_INTERFACE:${POLLUX_MBEDTLS_SOURCE}/include> $<BUILD_INTERFACE:${pollux_everest}/include>
    PRIVATE "${POLLUX_MBEDTLS_SOURCE}/library" "${pollux_everest}/include/everest" "${pollux_everest}/include/everest/kremlib")
  set_property(
    SOURCE "${POLLUX_MBEDTLS_SOURCE}/library/psa_crypto_ecp.c"
    APPEND
    PROPERTY COMPILE_DEFINITIONS mbedtls_ecp_mul=pollux_ecp_mul) # toolchains/mbedtls_x25519.c
  target_compile_definitions(
    pollux_mbedtls PUBLIC $<BUILD_INTERFACE:MBEDTLS_CONFIG_FILE="${POLLUX_ROOT}toolchains/mbedtls_config.h">)
  if(NOT POLLUX_CLIENT)
    target_compile_definitions(pollux_mbedtls PUBLIC $<BUILD_INTERFACE:POLLUX_WITHOUT_CLIENT>)
  endif()
  if(POLLUX_SMALL)
    target_compile_definitions(pollux_mbedtls PUBLIC $<BUILD_INTERFACE:POLLUX_SMALL>)
    target_sources(pollux_mbedtls PRIVATE "${POLLUX_ROOT}toolchains/mbedtls_small.c")
    set_property(
      SOURCE "${POLLUX_MBEDTLS_SOURCE}/library/platform.c"
      APPEND
      PROPERTY COMPILE_DEFINITIONS calloc=pollux_no_calloc free=pollux_no_free)
  endif()
  if(NOT POLLUX_TLS_RSA)
    target_compile_definitions(pollux_mbedtls PUBLIC $<BUILD_INTERFACE:POLLUX_WITHOUT_RSA>)
  endif()
  if(CMAKE_SIZEOF_VOID_P EQUAL 4)
    # As pollux::linux_port, and whoever includes its headers, too: mbedtls_time_t is time_t, and a certificate may well end after 2038.
    target_compile_definitions(pollux_mbedtls PUBLIC _FILE_OFFSET_BITS=64 _TIME_BITS=64)
  endif()
  # Somebody else's code: its warnings are not ours. Small, but where the time goes quick, in a debug build too: as quick as everything with -O2
  # and 36 KB smaller; -O3 is larger, slower by a third for AES-GCM and no quicker otherwise (numbers: stack/tls/README.md).
  target_compile_options(pollux_mbedtls PRIVATE -w -ffunction-sections -fdata-sections -Os)
  if(NOT POLLUX_SMALL)
    foreach(name aes aesce aesni bignum bignum_core chacha20 constant_time ecp ecp_curves gcm poly1305 sha256 sha512)
      set_property(SOURCE "${POLLUX_MBEDTLS_SOURCE}/library/${name}.c" APPEND PROPERTY COMPILE_OPTIONS -O2)
    endforeach()
    set_property(SOURCE "${pollux_everest}/library/Hacl_Curve25519_joined.c" APPEND PROPERTY COMPILE_OPTIONS -O2)
  elseif(POLLUX_LTO)
    target_compile_options(pollux_mbedtls PRIVATE -flto=auto $<$<C_COMPILER_ID:GNU>:-ffat-lto-objects>)
  endif()
  target_compile_options(pollux_mbedtls PRIVATE ${POLLUX_SMALL_OPTIONS})
  set_target_properties(pollux_mbedtls PROPERTIES POSITION_INDEPENDENT_CODE ${POLLUX_POSITION_INDEPENDENT_CODE} C_EXTENSIONS ON)
else()
  if(POLLUX_MBEDTLS_SOURCE)
    message(WARNING "No mbedTLS source in ${POLLUX_MBEDTLS_SOURCE}. Bring it with:\n  toolchains/mbedtls\n"
                    "Looking for an installed mbedTLS instead: it takes its memory from the heap, so pollux allocates after start.")
  endif()
  pollux_find_installed_mbedtls(pollux_mbedtls)
  if(NOT TARGET pollux_mbedtls)
    message(FATAL_ERROR "mbedTLS is missing. One of:\n${pollux_mbedtls_ways}")
  endif()
  get_target_property(pollux_mbedtls_version pollux_mbedtls POLLUX_VERSION)
  message(STATUS "mbedTLS ${pollux_mbedtls_version} as installed: ${POLLUX_MBEDTLS_LIBRARY} (memory from the heap)")
endif()
set_target_properties(pollux_mbedtls PROPERTIES EXPORT_NAME mbedtls)
add_library(pollux::mbedtls ALIAS pollux_mbedtls)
set_property(GLOBAL APPEND PROPERTY POLLUX_LIBRARIES pollux_mbedtls)
