#!/bin/sh
# format.sh ROOT CLANG_FORMAT: every source file is as clang-format leaves it (.clang-format in the root). `clang-format -i FILE` mends one.
set -eu
cd "$1"
find port stack board apps tests -name '*.hpp' -o -name '*.cpp' | LC_ALL=C sort | xargs "$2" --dry-run --Werror --ferror-limit=1
