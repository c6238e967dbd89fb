#!/bin/sh
# mbedtls_tool.sh ROOT WORK: toolchains/mbedtls says what it cannot do, and touches nothing of others. WORK is a folder of this test's own.
# Needs no network: what comes right is what tests/run and apps/run see.
set -eu
tool=$1/toolchains/mbedtls
rm -rf "$2"
mkdir -p "$2/others" "$2/done" "$2/mirror/pool/main/m/mbedtls"
cd "$2"
failed=0

# expect STATUS WORDS ARGUMENT...: what it ends with, and words of what it says.
expect() {
  status=$1
  words=$2
  shift 2
  said=$("$tool" "$@" 2>&1) && got=0 || got=$?
  case $got:$said in
    "$status":*"$words"*) ;;
    *) echo "toolchains/mbedtls $*: expected status $status and \"$words\"; got $got: $said"; failed=1 ;;
  esac
}

expect 0 "Usage: toolchains/mbedtls" --help
expect 2 "--nonsense: unknown option" --nonsense
expect 2 "--output: needs a value" --output
expect 2 "--archive: needs a value" --archive ''
expect 2 "--build: needs a value" --build

echo text >others/file
expect 1 "was not made by this script" --output others
[ -f others/file ] || { echo "a folder of somebody else is gone"; failed=1; }

expect 1 "nowhere.tar.bz2 cannot be read" --output new --archive nowhere.tar.bz2
expect 1 "SHA-256 is not" --output new --archive others/file

version=$(sed -n 's/^version=//p' "$tool")
cp others/file "mirror/pool/main/m/mbedtls/mbedtls_$version.orig.tar.bz2"
export POLLUX_DEBIAN_MIRROR="file://$2/mirror"
expect 1 "SHA-256 is not" --output new
export POLLUX_DEBIAN_MIRROR="file://$2/no/mirror"
expect 1 "the source did not come" --output new
[ ! -e new ] || { echo "a folder was made of nothing"; failed=1; }

# An older one would be replaced, and stays if that fails; the present one is taken as it is.
echo 3.0.0 >done/.pollux-version
expect 1 "the source did not come" --output done
[ -f done/.pollux-version ] || { echo "the older source is gone"; failed=1; }
echo "$version" >done/.pollux-version
expect 0 "" --output done
expect 1 "amiga: cannot be configured" --output done --build amiga
for left in new.new.* done.new.* others.new.*; do
  [ ! -e "$left" ] || { echo "left behind: $left"; failed=1; }
done
exit $failed
