#!/bin/sh
# without_tls.sh NM SERVER CLIENT [HTTPS]: a server and a client that make no TLS context have nothing of mbedTLS and of our TLS sessions in
# them, although the libraries have. HTTPS is a program that has a context: what is looked for is found there.
set -eu
failed=0

# Symbols of mbedTLS (also those of its shared library) and the tables of virtual functions of our classes around it.
tls_symbols() {
  "$nm" -C "$1" | grep -E ' (mbedtls|psa)_[a-z0-9_]+| vtable for pollux::tls::' || true
}

nm=$1
shift
number=0
for program in "$@"; do
  [ -x "$program" ] || { echo "$program is missing"; exit 1; }
  number=$((number + 1))
  found=$(tls_symbols "$program" | wc -l)
  case $number:$found in
    1:0 | 2:0) ;;
    1:* | 2:*)
      echo "$program makes no TLS context and has $found symbols of TLS, such as these:"
      tls_symbols "$program" | head -n 10
      failed=1
      ;;
    3:0)
      echo "$program has TLS, but no symbol of it was found: this test looks for the wrong names"
      failed=1
      ;;
  esac
done
exit $failed
