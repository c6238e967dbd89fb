#!/bin/sh
# memory_report.sh REPORT PROGRAM SIZE: the sum that memory-report prints is within 5 % of the .bss of PROGRAM (pollux-hello).
set -eu
sum=$("$1" | awk '$1 == "sum" { print $2 }')
bss=$("$3" -A "$2" | awk '$1 == ".bss" { print $2 }')
echo "memory-report: $sum bytes; .bss: $bss bytes"
awk -v sum="$sum" -v bss="$bss" 'BEGIN {
  difference = sum > bss ? sum - bss : bss - sum
  if (sum == 0 || difference > bss * 0.05) { print "they differ by more than 5 %"; exit 1 }
}'
