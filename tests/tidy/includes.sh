#!/bin/sh
# includes.sh ROOT: every #include in port, stack, board and apps follows the arrows (includes.awk). Needs no build.
set -eu
cd "$1"
find port stack board apps -name '*.hpp' -o -name '*.cpp' | LC_ALL=C sort | xargs awk -f tests/tidy/includes.awk
