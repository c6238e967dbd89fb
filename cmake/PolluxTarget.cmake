# How a pollux target is compiled. Everything is a property of the target; nothing here touches the flags of a project around us.

set(POLLUX_ROOT "${CMAKE_CURRENT_LIST_DIR}/..")
cmake_path(NORMAL_PATH POLLUX_ROOT)

# The libraries can be linked into anything, unless a toolchain file knows that all programs are loaded at a fixed address.
set(POLLUX_POSITION_INDEPENDENT_CODE ON)
if(DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
  set(POLLUX_POSITION_INDEPENDENT_CODE ${CMAKE_POSITION_INDEPENDENT_CODE})
endif()

# What nobody calls stays out when each function has a section; tables for unwinding serve exceptions and debuggers.
set(POLLUX_SMALL_OPTIONS "")
if(POLLUX_SMALL)
  set(POLLUX_SMALL_OPTIONS -ffunction-sections -fdata-sections -fno-unwind-tables -fno-asynchronous-unwind-tables)
endif()

# CMake adds the libraries that g++ would, whoever links; and those that gcc would in another order than the compiler itself.
if(POLLUX_WITHOUT_CXX_RUNTIME)
  set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
  set(CMAKE_C_IMPLICIT_LINK_LIBRARIES "")
endif()

# pollux_compile_as_ours(TARGET): C++20 without extensions, our warnings.
function(pollux_compile_as_ours target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(
    ${target}
    PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wold-style-cast -Wcast-align -Wimplicit-fallthrough -Wundef -Wvla
            # The one undefined-behaviour check that needs RTTI, which the libraries do not have.
            -fno-sanitize=vptr
            $<$<BOOL:${POLLUX_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# A broken ENSURE names its file as it stands in this folder, not where this folder is: shorter, and the same program from any of them.
set(POLLUX_NAMES_OF_FILES "-fmacro-prefix-map=${POLLUX_ROOT}=")

# pollux_compile_as_library(TARGET): as ours, without exceptions, RTTI and guarded statics, so that it needs no libstdc++ at run time.
function(pollux_compile_as_library target)
  pollux_compile_as_ours(${target})
  target_compile_options(${target} PRIVATE -fno-exceptions -fno-rtti -fno-threadsafe-statics ${POLLUX_NAMES_OF_FILES}
                                           ${POLLUX_SMALL_OPTIONS})
endfunction()

# pollux_library(NAME SOURCES... [LINK LIBS...]): a static library pollux_NAME, also known as pollux::NAME.
function(pollux_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  set(target pollux_${name})
  add_library(${target} STATIC ${arg_UNPARSED_ARGUMENTS})
  add_library(pollux::${name} ALIAS ${target})
  pollux_compile_as_library(${target})
  if(POLLUX_LTO)
    # Fat objects: the programs are optimised as a whole, the tests link the ordinary code and do not wait for that.
    target_compile_options(${target} PRIVATE -flto=auto -fno-plt $<$<CXX_COMPILER_ID:GNU>:-ffat-lto-objects>)
  endif()
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${POLLUX_ROOT}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/pollux>)
  target_link_libraries(${target} PUBLIC ${arg_LINK})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ${POLLUX_POSITION_INDEPENDENT_CODE})
  set_property(GLOBAL APPEND PROPERTY POLLUX_LIBRARIES ${target})
endfunction()

# pollux_program(TARGET): how a program of ours is compiled and linked: without exceptions and RTTI, optimised across the libraries if
# POLLUX_LTO is on, and with what it needs of the C++ run-time library inside: shared libraries cost more memory than the program. With
# POLLUX_WITHOUT_CXX_RUNTIME the C compiler links it, which knows no such library (GCC 12 has no -nostdlib++); CXX_RUNTIME: this one needs it.
function(pollux_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "CXX_RUNTIME" "" "")
  pollux_compile_as_ours(${target})
  target_compile_options(${target} PRIVATE -fno-exceptions -fno-rtti ${POLLUX_SMALL_OPTIONS})
  if(POLLUX_LTO)
    target_compile_options(${target} PRIVATE -flto=auto -fno-plt)
    target_link_options(${target} PRIVATE -flto=auto -fuse-linker-plugin)
  endif()
  # A server has nothing of zlib, which the client in pollux_http needs: it shall not be loaded either.
  target_link_options(${target} PRIVATE LINKER:--as-needed)
  # mbedTLS's functions have a section each: those that nobody calls stay out (127 KB of pollux-device, 2026-11-21, size(1)).
  target_link_options(${target} PRIVATE LINKER:--gc-sections)
  if(POLLUX_WITHOUT_CXX_RUNTIME AND NOT arg_CXX_RUNTIME)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
  else()
    target_link_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-static-libgcc> $<$<NOT:$<CONFIG:Debug>>:-static-libstdc++>)
  endif()
endfunction()
