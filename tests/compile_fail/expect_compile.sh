#!/bin/sh
# expect_compile.sh fails|passes TEXTS COMMAND...: runs COMMAND, a compiler, and checks how it ends. If it has to fail, each line of the
# file TEXTS has to occur in what it prints.
expectation=$1
texts=$2
shift 2

output=$(LC_ALL=C "$@" 2>&1)
status=$?

if [ "$expectation" = passes ]; then
  [ $status -eq 0 ] && exit 0
  printf '%s\nthis has to compile and does not\n' "$output"
  exit 1
fi
# A compiler that cannot be run, or that crashes, fails for another reason than the one in question.
if [ $status -eq 0 ] || [ $status -gt 2 ]; then
  printf '%s\nthe compiler ended with status %s; it has to refuse this\n' "$output" "$status"
  exit 1
fi
missing=0
while IFS= read -r text; do
  [ -z "$text" ] && continue
  case $output in
    *"$text"*) ;;
    *) printf 'the message does not say: %s\n' "$text"; missing=1 ;;
  esac
done <"$texts"
if [ $missing -ne 0 ]; then
  printf '%s\n' "$output"
fi
exit $missing
