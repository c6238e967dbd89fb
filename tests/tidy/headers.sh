#!/bin/sh
# headers.sh ROOT COMPILER TLS [OPTION...]: each header of port, stack and board compiles alone, as an outside program would compile it
# (C++20, warnings are errors, without exceptions and RTTI), and has `#pragma once`. X.hpp that is the first thing X.cpp includes has been
# compiled alone by that; the others are compiled here. TLS OFF: all but those that include mbedTLS's headers; OPTIONs say where
# those are. Prints the compiler's own messages.
set -eu
cd "$1"
export compiler="$2"
tls=$3
shift 3
missing=$(find port stack board apps -name '*.hpp' -exec grep -L '^#pragma once$' '{}' +) || true
[ -z "$missing" ] || { echo "$missing: has no #pragma once"; exit 1; }
for file in $(find port stack board apps -name '*.hpp' | LC_ALL=C sort); do
  case $tls:$file in OFF:stack/tls/mbedtls.hpp | OFF:stack/tls/session_hooks.hpp | OFF:stack/tls/x509.hpp) continue ;; esac
  source=${file%.hpp}.cpp
  if [ ! -f "$source" ] || [ "$(grep -m 1 '^#include' "$source")" != "#include \"$file\"" ]; then
    echo "$file"
  fi
done | xargs -P 2 -I '{}' sh -c '
  file=$1
  shift
  printf "#include \"%s\"\n" "$file" |
    "$compiler" -std=c++20 -fsyntax-only -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Werror -I . "$@" -x c++ - 2>&1 ||
    { echo "$file:1: does not compile alone"; exit 1; }' header '{}' "$@"
