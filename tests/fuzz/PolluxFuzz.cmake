option(POLLUX_FUZZ "Link the fuzz targets with libFuzzer (needs clang) instead of the bounded driver" OFF)
set(POLLUX_FUZZ_DIR "${CMAKE_CURRENT_LIST_DIR}")

# pollux_fuzz(NAME SOURCES... [LINK LIBS...] [CORPUS FOLDER] [RUNS COUNT]): one fuzz target, a source with LLVMFuzzerTestOneInput().
# By default it is linked with a driver that makes a bounded number of runs over the corpus, mutations of it and random bytes, the same
# ones each time, and is registered in ctest. With POLLUX_FUZZ it is a libFuzzer program and runs until it is stopped. CORPUS is a folder
# of tests/fuzz/corpus (NAME without it); RUNS is 20000 if it is not given; a tenth of them under
# an emulator.
function(pollux_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS;RUNS" "LINK")
  if(NOT arg_CORPUS)
    set(arg_CORPUS ${name})
  endif()
  if(NOT arg_RUNS)
    set(arg_RUNS 20000)
  endif()
  if(CMAKE_CROSSCOMPILING)
    math(EXPR arg_RUNS "${arg_RUNS} / 10") # as tests/support/emulated.hpp does
  endif()
  set(corpus "${POLLUX_FUZZ_DIR}/corpus/${arg_CORPUS}")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  pollux_compile_as_ours(${name})
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  target_include_directories(${name} PRIVATE ${POLLUX_ROOT})
  if(POLLUX_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      message(FATAL_ERROR "POLLUX_FUZZ needs clang: libFuzzer is part of it")
    endif()
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    if(NOT TARGET pollux_fuzz_driver)
      add_library(pollux_fuzz_driver OBJECT "${POLLUX_FUZZ_DIR}/corpus_main.cpp")
      pollux_compile_as_ours(pollux_fuzz_driver)
    endif()
    target_link_libraries(${name} PRIVATE pollux_fuzz_driver)
    target_link_options(${name} PRIVATE -fno-lto)  # as pollux_test() says
    add_test(NAME ${name} COMMAND ${name} --runs ${arg_RUNS} "${corpus}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
endfunction()
