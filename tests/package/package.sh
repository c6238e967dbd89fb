#!/bin/sh
# package.sh WAY ROOT BUILD WORK CC CXX FLAGS: an outside project uses pollux in one of these ways and asks it one request, in clear text and,
# if there is TLS, once more over TLS.
#   find_package   installed, moved elsewhere, found by CMake
#   build_tree     found by CMake in the build folder, not installed
#   pkg_config     installed, moved elsewhere, compiled by hand; linked by the C compiler: no C++ run-time library is needed
#   add_subdirectory  as a folder of the project, with each mbedTLS that is here and without TLS
# WORK is a folder of this test's own. The compilers and FLAGS are those of the build, because sanitized objects need them. From the environment:
#   MBEDTLS_OURS       the source tree that pollux was built with; empty: none
#   MBEDTLS_INSTALLED  CMake's -D options that say where the installed library is; empty: there is none
set -eu
way=$1 root=$2 build=$3 work=$4 CC=$5 CXX=$6 flags=$7
tls=$([ -z "$MBEDTLS_OURS$MBEDTLS_INSTALLED" ] || echo consumer_tls)  # what is built besides
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
  if grep -rnE '#include (<(mbedtls|psa)/|"stack/tls/(mbedtls|session_hooks|x509)\.hpp")' "$work/prefix"; then
    echo "these headers need mbedTLS's, which are not installed" >&2
    exit 1
  fi
  # Whoever passes our mbedTLS on passes its licence on.
  if [ -n "$(find "$work/prefix" -name libpollux_mbedtls.a)" ] && [ -z "$(find "$work/prefix" -name LICENSE.mbedtls)" ]; then
    echo "LICENSE.mbedtls is missing" >&2
    exit 1
  fi
}

# build_project SOURCE OPTION...: configures, builds and runs it.
build_project() {
  source=$1
  shift
  cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE= "$@"  # nothing is optimised, no line numbers: quick
  # shellcheck disable=SC2086 # one name, or none
  cmake --build "$work/build" --target consumer $tls -j 2
  for program in consumer $tls; do
    "$work/build/$program"
    echo
  done
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
    if [ -n "$tls" ]; then
      # shellcheck disable=SC2046,SC2086
      "$CXX" -std=c++20 -O1 -fno-exceptions -fno-rtti $flags -c "$here/consumer/tls.cpp" -o "$work/tls.o" \
        $(pkg-config --cflags pollux)
      # shellcheck disable=SC2046,SC2086
      "$CC" $flags "$work/tls.o" -o "$work/consumer_tls" $(pkg-config --static --libs pollux)
      "$work/consumer_tls"
    fi
    # shellcheck disable=SC2046,SC2086
    "$CXX" -std=c++20 $flags "$here/consumer/testing.cpp" -o "$work/testing" $(pkg-config --cflags --libs pollux-testing)
    "$work/testing"
    ;;
  add_subdirectory)
    # In one build folder: little more than stack/tls is compiled again.
    if [ -n "$MBEDTLS_OURS" ]; then
      build_project "$here/embedding" -DPOLLUX_SOURCE="$root" -DPOLLUX_MBEDTLS_SOURCE="$MBEDTLS_OURS"
    fi
    if [ -n "$MBEDTLS_INSTALLED" ]; then
      # shellcheck disable=SC2086 # a list of options
      build_project "$here/embedding" -DPOLLUX_SOURCE="$root" -DPOLLUX_MBEDTLS_SOURCE= $MBEDTLS_INSTALLED
    else
      echo "nothing is tried with an installed mbedTLS: there is none"
    fi
    tls=
    build_project "$here/embedding" -DPOLLUX_SOURCE="$root" -DPOLLUX_TLS=OFF
    ;;
esac
