#!/bin/sh
# toolchain_tools.sh ROOT WORK CMAKE: the tools in toolchains/, and its toolchain files, say what is missing and what to type, and touch
# nothing of others. WORK is a folder of this test's own. Needs no network: what comes right is what building for a target sees.
set -eu
root=$1
work=$2
cmake=$3
rm -rf "$work"
mkdir -p "$work/others" "$work/done"
cd "$work"
failed=0

# expect STATUS WORDS COMMAND...: what it ends with, and words of what it says, wherever its lines are broken.
expect() {
  status=$1
  words=$2
  shift 2
  said=$({ "$@" 2>&1 && echo "status 0" || echo "status $?"; } | tr -s ' \n' ' ')
  case $said in
    *"$words"*"status $status "*) ;;
    *) echo "$*: expected status $status and \"$words\"; got: $said"; failed=1 ;;
  esac
}

unpack=$root/toolchains/unpack
sysroot=$root/toolchains/sysroot
setup=$root/toolchains/setup

expect 0 "Usage: toolchains/unpack" "$unpack" --help
expect 2 "--nonsense: unknown option" "$unpack" --nonsense
expect 2 "--suite: needs a value" "$unpack" --suite
expect 2 "--suite is missing" "$unpack" --arch arm64 --output new zlib1g
expect 2 "--arch is missing" "$unpack" --suite bookworm --output new zlib1g
expect 2 "--output is missing" "$unpack" --suite bookworm --arch arm64 zlib1g
expect 2 "no package is named" "$unpack" --suite bookworm --arch arm64 --output new
expect 2 "is not the name of a release" "$unpack" --suite ../up --arch arm64 --output new zlib1g
echo text >others/file
expect 1 "was not made by this script" "$unpack" --suite bookworm --arch arm64 --output others zlib1g
[ -f others/file ] || { echo "a folder of somebody else is gone"; failed=1; }
echo "bookworm arm64 zlib1g" >done/.pollux-packages
expect 0 "" env PATH=/bin:/usr/bin "$unpack" --suite bookworm --arch arm64 --output done zlib1g

expect 0 "Usage: toolchains/sysroot" "$sysroot" --help
expect 2 "--nonsense: unknown option" "$sysroot" --nonsense
expect 2 "--suite: needs a value" "$sysroot" aarch64-linux-gnu --suite
expect 2 "no triple is named" "$sysroot"
expect 2 "sparc-linux-gnu: unknown triple" "$sysroot" sparc-linux-gnu
expect 2 "one triple at a time" "$sysroot" aarch64-linux-gnu riscv64-linux-gnu
expect 1 "was not made by this script" "$sysroot" aarch64-linux-gnu --output others

expect 0 "Usage: toolchains/setup" "$setup" --help
expect 2 "no preset is named" "$setup"
expect 2 "amiga: unknown preset" "$setup" amiga
expect 2 "--nonsense: unknown option" "$setup" --nonsense

# Every toolchain file, with a compiler that is not there, and with a sysroot that is not there.
mkdir source
printf 'cmake_minimum_required(VERSION 3.25)\nproject(nothing LANGUAGES C CXX)\n' >source/CMakeLists.txt
for file in "$root"/toolchains/*-*.cmake; do
  preset=$(sed -n 's/^set(pollux_preset \(.*\))$/\1/p' "$file")
  rm -rf build
  expect 1 "Type: toolchains/setup $preset" \
    "$cmake" -S source -B build "-DCMAKE_TOOLCHAIN_FILE=$file" -DPOLLUX_CROSS_GCC=POLLUX_CROSS_GCC-NOTFOUND -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF \
    -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF
  rm -rf build
  expect 1 "/nowhere. Type: toolchains/setup $preset" \
    "$cmake" -S source -B build "-DCMAKE_TOOLCHAIN_FILE=$file" -DPOLLUX_CROSS_GCC=/bin/true -DPOLLUX_CROSS_GXX=/bin/true -DPOLLUX_SYSROOT=/nowhere
done
exit $failed
