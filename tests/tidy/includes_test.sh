#!/bin/sh
# includes_test.sh ROOT: includes.awk finds what it should and nothing else. Each line: what the file is called, the #include, and `ok` or
# a word of the rule it breaks.
set -eu
rules=$1/tests/tidy/includes.awk
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0
while read -r file header expected; do
  case $file in '' | '#'*) continue ;; esac
  mkdir -p "$(dirname "$file")"
  printf '// a comment\n#include %s\n' "$header" >"$file"
  said=$(awk -f "$rules" "$file") && status=0 || status=$?
  case $expected:$status:$said in
    ok:0:) ;;
    ok:*) echo "refused, but allowed: $said"; failed=1 ;;
    *:1:"$file:2: "*"$expected"*) ;;
    *) echo "$file with $header: expected '$expected', status 1; got '$said', status $status"; failed=1 ;;
  esac
done <<'CASES'
port/port.hpp             "port/time.hpp"                   ok
port/port.hpp             "port/linux/linux_port.hpp"       implementations
port/port.hpp             "stack/base/text.hpp"             port includes only port
port/port.hpp             <span>                            ok
port/port.hpp             <string>                          heap
port/port.hpp             <sys/socket.h>                    system headers
port/port.cpp             <unistd.h>                        ok
port/linux/linux_port.hpp "port/port.hpp"                   ok
port/linux/linux_port.hpp <sys/socket.h>                    ok
port/linux/linux_port.hpp "port/sim/sim_port.hpp"           port/linux
port/sim/sim_port.hpp     <deque>                           ok
port/sim/sim_port.hpp     "port/linux/linux_port.hpp"       port/sim
port/fault/fault_port.hpp "port/port.hpp"                   ok
stack/base/pool.hpp       "port/ensure.hpp"                 ok
stack/base/pool.hpp       "port/port.hpp"                   stack/base
stack/base/pool.hpp       <sanitizer/asan_interface.h>      ok
stack/base/pool.hpp       <vector>                          heap
stack/wire/head.hpp       "stack/base/text.hpp"             ok
stack/wire/head.cpp       "stack/net/loop.hpp"              stack/wire
stack/wire/head.cpp       "port/port.hpp"                   stack/wire
stack/wire/scan.cpp       <immintrin.h>                     ok
stack/wire/scan.cpp       <stdlib.h>                        system headers
stack/tls/session.cpp     <mbedtls/ssl.h>                   ok
stack/tls/session.cpp     "stack/net/stream.hpp"            stack/tls
stack/net/stream.cpp      "stack/tls/session.hpp"           ok
stack/tls/session.cpp     "stack/tls/mbedtls.hpp"           ok
stack/net/stream.cpp      <mbedtls/ssl.h>                   mbedTLS
stack/tls/library.cpp     <ctime>                           ok
stack/net/loop.cpp        <ctime>                           heap
stack/net/stream.cpp      "stack/tls/mbedtls.hpp"           inside stack/tls
apps/hello/main.cpp       "stack/tls/x509.hpp"              inside stack/tls
stack/net/loop.hpp        "stack/http/server.hpp"           stack/net
stack/net/loop.hpp        "port/linux/linux_port.hpp"       implementations
stack/http/server.hpp     "stack/wire/head.hpp"             ok
stack/http/server.hpp     "stack/tls/session.hpp"           ok
stack/http/server.hpp     <mbedtls/ssl.h>                   mbedTLS
stack/http/server.hpp     "board/limits.hpp"                stack/http
stack/http/server.cpp     <iostream>                        heap
stack/http/server.cpp     <functional>                      heap
stack/stray.hpp           "port/port.hpp"                   layers
board/tiny/limits.hpp     "stack/http/limits.hpp"           ok
board/tiny/limits.hpp     "stack/tls/limits.hpp"            ok
board/tiny/limits.hpp     "stack/http/server.hpp"           board
board/tiny/limits.hpp     "stack/tls/session.hpp"           board
apps/hello/main.cpp       "port/linux/linux_port.hpp"       ok
apps/hello/main.cpp       "port/sim/sim_port.hpp"           apps
apps/hello/main.cpp       "tests/support/heap_guard.hpp"    apps
apps/hello/main.cpp       <unistd.h>                        ok
CASES
exit $failed
