#!/bin/sh
# headers.sh ROOT COMPILER TLS [OPTION...]: each header of port, stack and board compiles alone, twice in a row, as an outside program would
# compile it: C++20, warnings are errors, without exceptions and RTTI. TLS OFF: all but those that include mbedTLS's headers; OPTIONs say
# where those are. Prints the compiler's own messages.
set -eu
cd "$1"
export compiler="$2"
tls=$3
shift 3
for file in $(find port stack board apps -name '*.hpp' | LC_ALL=C sort); do
  case $tls:$file in OFF:stack/tls/mbedtls.hpp | OFF:stack/tls/session_hooks.hpp | OFF:stack/tls/x509.hpp) continue ;; esac
  echo "$file"
done | xargs -P 2 -I '{}' sh -c '
  file=$1
  shift
  printf "#include \"%s\"\n#include \"%s\"\n" "$file" "$file" |
    "$compiler" -std=c++20 -fsyntax-only -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Werror -I . "$@" -x c++ - 2>&1 ||
    { echo "$file:1: does not compile alone"; exit 1; }' header '{}' "$@"
