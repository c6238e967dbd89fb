# Most of the time of a build goes into the tests, and into their reading the same headers again and again. So those are read once, and the
# tests' own code is not optimised (the libraries under them are). The undefined-behaviour checks stay in the libraries; in test code they
# would double the time of its compilation.
# The two definitions are those of pollux::linux_port: what was read once must have been read with the same ones.
set(POLLUX_TEST_OPTIONS -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -O0 -fno-sanitize=undefined)
if(CMAKE_CROSSCOMPILING)
  list(APPEND POLLUX_TEST_OPTIONS -DPOLLUX_TESTS_EMULATED) # support/emulated.hpp
endif()
if(NOT TARGET pollux_test_headers)
  file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/pollux_test_headers.cpp" CONTENT "")
  add_library(pollux_test_headers OBJECT "${CMAKE_CURRENT_BINARY_DIR}/pollux_test_headers.cpp")
  pollux_compile_as_ours(pollux_test_headers)
  target_compile_options(pollux_test_headers PRIVATE ${POLLUX_TEST_OPTIONS})
  target_link_libraries(pollux_test_headers PRIVATE GTest::gtest)
  set_target_properties(pollux_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_precompile_headers(
    pollux_test_headers
    PRIVATE
    <gtest/gtest.h>
    <algorithm>
    <array>
    <chrono>
    <functional>
    <optional>
    <span>
    <string>
    <string_view>
    <vector>)
endif()

# The files of a program are mostly headers, and the same ones: read once for eight files they take half the time in all. Whoever edits one
# file again and again switches it off.
option(POLLUX_TESTS_UNITY "Compile up to eight files of a test program as one" ON)

# pollux_compile_as_test(TARGET): a program or library of the tests' own.
function(pollux_compile_as_test target)
  pollux_compile_as_ours(${target})
  target_compile_options(${target} PRIVATE ${POLLUX_TEST_OPTIONS})
  target_precompile_headers(${target} REUSE_FROM pollux_test_headers)
  if(POLLUX_TESTS_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # A local name may well be one that another file of the program has outside its functions.
    target_compile_options(${target} PRIVATE -Wno-shadow)
  endif()
endfunction()

# pollux_test_library(NAME SOURCES... [LINK LIBS...]): what several test programs share.
function(pollux_test_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  pollux_compile_as_test(${name})
  target_include_directories(${name} PUBLIC ${POLLUX_ROOT})
  target_link_libraries(${name} PUBLIC ${arg_LINK} GTest::gtest)
endfunction()

# pollux_test(NAME SOURCES... [LINK LIBS...] [TIMEOUT SECONDS]): one GoogleTest program, registered as one ctest entry (a process per
# test case would cost more than the cases do, above all under an emulator). The heap guard is linked into every one, so that a
# test can say `heap_guard::Forbidden`.
function(pollux_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LINK")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  pollux_compile_as_test(${name})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gtest GTest::gtest_main)
  if(TARGET pollux_heap_guard)
    target_link_libraries(${name} PRIVATE pollux_heap_guard)
  endif()
  # The libraries hold ordinary code beside what POLLUX_LTO needs; without this the linker would optimise each test as a whole.
  target_link_options(${name} PRIVATE -fno-lto)
  target_include_directories(${name} PRIVATE ${POLLUX_ROOT})
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()
