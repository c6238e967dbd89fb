#!/bin/sh
# runtime.sh NM LIBRARY...: the libraries need nothing of the C++ run-time library: no operator new, no exceptions, no guards of static
# variables, no std:: functions. (A weak reference, such as that of an abstract class to __cxa_pure_virtual, needs nothing.)
# Prints LIBRARY(OBJECT): SYMBOL.
set -eu
nm=$1
shift
failed=0
for library in "$@"; do
  found=$("$nm" -A -u "$library" 2>/dev/null |
    awk '$(NF - 1) != "w" && $NF ~ /^(_Zn|_Zd|__cxa_|__gxx_|_ZSt|_ZNSt|_ZNKSt|_Unwind)/ { print $1, $NF }') || true
  if [ -n "$found" ]; then
    echo "$found" | sed 's/$/: the C++ run-time library is needed for this/'
    failed=1
  fi
done
exit $failed
