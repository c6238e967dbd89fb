#!/bin/sh
# readmes.sh ROOT: every folder with source files has a README.md, or the one above it speaks for it (a folder of data or fixtures
# without .cpp files), and has no placeholder like @SUM@ left. Prints FOLDER: what is missing.
set -eu
cd "$1"
failed=0
for folder in $(find port stack board apps tests cmake toolchains -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cmake' -o -name '*.sh' \) \
  -exec dirname {} \; | LC_ALL=C sort -u); do
  [ -f "$folder/README.md" ] && continue
  if [ -f "$(dirname "$folder")/README.md" ] && [ -z "$(find "$folder" -maxdepth 1 -name '*.cpp')" ]; then
    continue
  fi
  case $folder in tests/package/* | tests/compile_fail/* | tests/fuzz/* | tests/e2e/support) continue ;; esac
  echo "$folder: has no README.md: say what it is for, what it may include, its machines, its limits, an example"
  failed=1
done
# Words that were to be replaced before anyone reads them.
# shellcheck disable=SC2046 # paths without blanks
grep -Hn '@[A-Z]\{3,\}@' README.md $(find port stack board apps tests cmake toolchains -name README.md) && failed=1
exit $failed
