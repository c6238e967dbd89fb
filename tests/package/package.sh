#!/bin/sh
# package.sh WAY ROOT BUILD WORK CC CXX FLAGS: an outside project uses pollux in one of these ways and asks it one request.
#   find_package   installed, moved elsewhere, found by CMake
#   build_tree     found by CMake in the build folder, not installed
#   pkg_config     installed, moved elsewhere, compiled by hand; linked by the C compiler: no C++ run-time library is needed
#   add_subdirectory
# WORK is a folder of this test's own. The compilers and FLAGS are those of the build, because sanitized objects need them.
set -eu
way=$1 root=$2 build=$3 work=$4 CC=$5 CXX=$6 flags=$7
export CC CXX CXXFLAGS="$flags"
here=$root/tests/package
rm -rf "$work"
mkdir -p "$work"

# Installs to one prefix and moves it to another, so that a path that was written down is found out.
install_and_move() {
  cmake --install "$build" --prefix "$work/first" --component development >/dev/null
  cmake --install "$build" --prefix "$work/first" --component testing >/dev/null
  mv "$work/first" "$work/prefix"
  if grep -rlF -e "$build" -e "$work/first" "$work/prefix" --include='*.cmake' --include='*.pc' --include='*.hpp'; then
    echo "these files know where pollux was built or installed" >&2
    exit 1
  fi
}

# build_project SOURCE OPTION...: configures, builds and runs it.
build_project() {
  source=$1
  shift
  cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug "$@"
  cmake --build "$work/build" --target consumer -j 2
  "$work/build/consumer"
}

case $way in
  find_package)
    install_and_move
    build_project "$here/consumer" -DCMAKE_PREFIX_PATH="$work/prefix"
    cmake --build "$work/build" --target testing
    "$work/build/testing"
    ;;
  build_tree)
    build_project "$here/consumer" -Dpollux_DIR="$build"
    ;;
  pkg_config)
    install_and_move
    PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name pollux.pc)")
    export PKG_CONFIG_PATH
    echo "pollux $(pkg-config --modversion pollux): $(pkg-config --cflags --libs pollux)"
    # shellcheck disable=SC2046,SC2086 # lists of flags
    "$CXX" -std=c++20 -O1 -fno-exceptions -fno-rtti $flags -c "$here/consumer/main.cpp" -o "$work/main.o" \
      $(pkg-config --cflags pollux)
    # shellcheck disable=SC2046,SC2086
    "$CC" $flags "$work/main.o" -o "$work/consumer" $(pkg-config --libs pollux)
    "$work/consumer"
    # shellcheck disable=SC2046,SC2086
    "$CXX" -std=c++20 $flags "$here/consumer/testing.cpp" -o "$work/testing" $(pkg-config --cflags --libs pollux-testing)
    "$work/testing"
    ;;
  add_subdirectory)
    build_project "$here/embedding" -DPOLLUX_SOURCE="$root"
    ;;
esac
