#!/bin/sh
# headers.sh ROOT COMPILER: each header of port, stack and board compiles alone, twice in a row, as an outside program would compile
# it: C++20, warnings are errors, without exceptions and RTTI. Prints the compiler's own messages.
set -eu
cd "$1"
export compiler="$2"
find port stack board apps -name '*.hpp' | LC_ALL=C sort | xargs -P 2 -I '{}' sh -c '
  printf "#include \"%s\"\n#include \"%s\"\n" "$1" "$1" |
    "$compiler" -std=c++20 -fsyntax-only -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Werror -I . -x c++ - 2>&1 ||
    { echo "$1:1: does not compile alone"; exit 1; }' header '{}'
