# Sourced by apps/run and tests/run. need_packages ROOT KIND...: makes sure that the packages of these kinds (cmake/packages.txt) are
# installed. Root installs what is missing; others are told the one line to run, and the script ends with status 1. On a system
# without dpkg nothing is checked: the build itself says what it misses.
need_packages() {
  packages_root=$1
  shift
  command -v dpkg-query >/dev/null 2>&1 || return 0
  missing=
  for kind in "$@"; do
    for package in $(awk -v kind="$kind" '$1 == kind { print $2 }' "$packages_root/cmake/packages.txt"); do
      case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) missing="$missing $package" ;;
      esac
    done
  done
  [ -z "$missing" ] && return 0
  if [ "$(id -u)" != 0 ]; then
    echo "Some packages are missing. Install them and start again:" >&2
    echo "  sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "Installing$missing"
  packages_log=$(mktemp)
  # Some packages are servers that Debian would start at once, on ports of its choice; the tests start their own. This file denies it while
  # it is there (invoke-rc.d(8)); one that the machine has stays as it is.
  packages_policy=/usr/sbin/policy-rc.d
  if [ -e "$packages_policy" ]; then
    packages_policy=
  else
    printf '#!/bin/sh\nexit 101\n' >"$packages_policy"
    chmod 755 "$packages_policy"
    trap 'rm -f "$packages_policy"' EXIT
    trap 'exit 1' INT TERM HUP
  fi
  # shellcheck disable=SC2086 # a list of names
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    >"$packages_log" 2>&1; then
    cat "$packages_log" >&2
    rm -f "$packages_log" ${packages_policy:+"$packages_policy"}
    echo "apt-get could not install:$missing" >&2
    exit 1
  fi
  rm -f "$packages_log" ${packages_policy:+"$packages_policy"}
  trap - EXIT INT TERM HUP
}
