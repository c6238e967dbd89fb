#!/bin/sh
# deb.sh STEP ROOT BUILD WORK TRIPLE CXX [EMULATOR...]: the Debian packages of a build tree, for the triplet it is built for. The last
# words are the command that runs its programs here; none if they run as they are. WORK is a folder of these tests' own.
# POLLUX_SYSROOT, from the environment, is where the libraries of others for that triplet are; empty: on this machine.
#   packages  makes them twice, and what is in them is looked at, compiled with and run
#   root      installs them into a clean system, runs the programs there and removes them again; needs root, and `packages` before it
#   boot      boots the clean system in a container: installed, pollux-device is started, answers and keeps what it is given; removed, it is
#             gone. Needs root, and `packages` before it
# Status 77: it cannot be tried here, and why is said.
set -eu
step=$1 root=$2 build=$3 work=$4 triple=$5 cxx=$6
shift 6  # what remains is the emulator
packages=$work/packages
failed=0

complain() {
  echo "$1"
  failed=1
}
fail() {
  echo "$1" >&2
  exit 1
}
# need TOOL...: a missing one is a failure; in a preset of a cross compiler, whose tests can be run without these packages, nothing is tried.
need() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 && continue
    echo "$tool is missing. Type: apt-get install --no-install-recommends $(
      awk '$1 == "deb" { printf "%s ", $2 }' "$root/cmake/packages.txt")"
    [ -n "${POLLUX_SYSROOT-}" ] && exit 77
    exit 1
  done
}

case $triple in
  x86_64-linux-gnu) architecture=amd64 ;;
  aarch64-linux-gnu) architecture=arm64 ;;
  arm-linux-gnueabihf) architecture=armhf ;;
  *) fail "$triple: no package is made for it" ;;
esac

# make_packages DIR
make_packages() {
  cpack --config "$build/CPackConfig.cmake" -B "$1" >"$work/cpack.log" 2>&1 || {
    cat "$work/cpack.log"
    fail "cpack failed"
  }
  rm -rf "$1/_CPack_Packages"
}

# expect WHAT WANTED GOT
expect() {
  [ "$2" = "$3" ] || complain "$1: expected \"$2\", got \"$3\""
}

# serve_and_ask SERVER CLIENT COMMAND...: starts SERVER on a free port by way of COMMAND (the emulator, or chroot and where), and asks it once with
# CLIENT by the same way; both are paths of programs. It ends with what the server ends with.
serve_and_ask() {
  server=$1
  client=$2
  shift 2
  rm -f "$work/said"
  mkfifo "$work/said"
  # --foreground: one signal, not a second to its group, which would end the server at once.
  timeout --foreground 60 "$@" "$server" --listen 127.0.0.1:0 >"$work/said" 2>&1 &
  server_pid=$!
  exec 3<"$work/said"
  url=
  while [ -z "$url" ] && read -r line <&3; do
    case $line in "listening on "*) url=${line#listening on } ;; *) echo "$line" ;; esac
  done
  if [ -n "$url" ]; then
    expect "$server" ok "$(timeout 30 "$@" "$client" --silent --show-error --fail "$url/healthz" || echo "status $?")"
  else
    complain "$server did not start"
  fi
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" && status=0 || status=$?
  exec 3<&-
  expect "the end of $server" 0 "$status"
}

packages() {
  need cpack dpkg-deb dpkg-shlibdeps file lintian pkg-config
  rm -rf "$work"
  mkdir -p "$work"
  make_packages "$packages"

  # The same tree gives the same packages, whenever and wherever.
  TZ=Asia/Tokyo LC_ALL=C make_packages "$work/again"
  (cd "$packages" && sha256sum -- *.deb) >"$work/sums"
  (cd "$work/again" && sha256sum --check --quiet "$work/sums") || complain "made twice, the packages differ"
  rm -rf "$work/again"

  # Warnings are shown, errors are failures. (As root it says that it should not be root.)
  lintian --fail-on error --color never "$packages"/*.deb >"$work/lintian" 2>&1 || complain "lintian has found errors"
  grep -v 'running with root privileges' "$work/lintian" || true

  names=
  for deb in "$packages"/*.deb; do
    names="$names $(dpkg-deb --field "$deb" Package)"
    expect "$deb: Architecture" "$architecture" "$(dpkg-deb --field "$deb" Architecture)"
    dpkg-deb --extract "$deb" "$work/tree"
    # Nothing belongs to whoever built it or is closed to others, and all of it has one date.
    if dpkg-deb --contents "$deb" | awk '$2 != "root/root" || $1 !~ /r..$/ || $1 !~ /^(d......r.x|-......r..|l)/' | grep .; then
      complain "$deb: these files have other owners or permissions than Debian's"
    fi
  done
  expect "the packages" " libpollux-dev libpollux-testing-dev pollux-device pollux-tools" "$names"
  for name in libpollux-dev libpollux-testing-dev; do
    expect "$name: Multi-Arch" same "$(dpkg-deb --field "$packages/${name}"_*.deb Multi-Arch)"
  done
  expect "pollux-tools: Multi-Arch" foreign "$(dpkg-deb --field "$packages"/pollux-tools_*.deb Multi-Arch)"
  if grep -rlF -e "$build" -e "$root" "$work/tree"; then
    complain "these files know where they were built"
  fi
  for program in "$work"/tree/usr/bin/*; do
    [ -s "$work/tree/usr/share/man/man1/${program##*/}.1.gz" ] || complain "${program##*/} has no manual page"
  done

  # What must be there besides: the same from the script for other architectures as from dpkg-shlibdeps.
  for name in pollux-device pollux-tools; do
    dpkg-deb --contents "$packages/${name}"_*.deb | awk '$6 ~ /^\.\/usr\/bin\/./ { print $6 }' >"$work/programs"
    # shellcheck disable=SC2046 # a list of names
    depends=$(cd "$work/tree" && "$root/cmake/debian/depends" $(cat "$work/programs"))
    case ", $(dpkg-deb --field "$packages/${name}"_*.deb Depends)," in
      *", $depends,"*) ;;
      *) complain "$name: Depends: expected \"$depends\" in \"$(dpkg-deb --field "$packages/${name}"_*.deb Depends)\"" ;;
    esac
  done

  # The programs run, and an outside program is compiled with the headers and libraries of the package.
  serve_and_ask "$work/tree/usr/bin/pollux-device" "$work/tree/usr/bin/pollux-fetch" "$@"
  # pkg-config wants to know zlib, which libpollux-dev depends on; where it is, is the machine's or the sysroot's affair.
  PKG_CONFIG_PATH=$work/tree/usr/lib/$triple/pkgconfig
  PKG_CONFIG_LIBDIR=${POLLUX_SYSROOT-}/usr/lib/$triple/pkgconfig
  export PKG_CONFIG_PATH PKG_CONFIG_LIBDIR
  # shellcheck disable=SC2046,SC2086 # lists of flags; the compiler is a command with its flags
  $cxx ${POLLUX_SYSROOT:+"--sysroot=$POLLUX_SYSROOT"} -std=c++20 -O1 -fno-exceptions -fno-rtti "$root/tests/package/consumer/main.cpp" -o "$work/consumer" \
    $(pkg-config --cflags --libs pollux)
  "$@" "$work/consumer"
  echo
}

# A clean system of the release of Debian that this machine has, with what the packages depend on: made once, by debootstrap.
make_root() {
  . "$root/toolchains/mirror.sh"
  suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  with=zlib1g-dev,systemd,procps
  cache=$root/build/packages/root-$suite-$architecture-$(echo "$with" | tr , -).tar.gz
  rm -rf "$work/root"
  mkdir -p "$work/root" "$root/build/packages"
  if [ ! -e "$cache" ]; then
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
      echo "no clean root: this machine has no Debian mirror set up; POLLUX_DEBIAN_MIRROR may be the URL of one"
      exit 77
    fi
    debootstrap --variant=minbase --include="$with" "$suite" "$work/root" "$mirror" >"$work/debootstrap.log" 2>&1 || {
      tail -n 20 "$work/debootstrap.log" "$work/root/debootstrap/debootstrap.log" 2>/dev/null || true
      rm -rf "$work/root"
      fail "debootstrap failed"
    }
    # As in a container: what is installed starts nothing.
    printf '#!/bin/sh\nexit 101\n' >"$work/root/usr/sbin/policy-rc.d"
    chmod 755 "$work/root/usr/sbin/policy-rc.d"
    rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
    tar -C "$work/root" --numeric-owner -cf - . | gzip -1 >"$cache.new.$$"
    mv "$cache.new.$$" "$cache"
  else
    tar -C "$work/root" --numeric-owner -xzf "$cache"
  fi
}

# files_of_root: every path, but for what dpkg and those who keep logs write down, and what is gone when the machine starts.
files_of_root() {
  (cd "$work/root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache/ldconfig -o -path ./run \) -prune -o -print) |
    LC_ALL=C sort
}

in_root() {
  LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$work/root" "$@" >"$work/dpkg.log" 2>&1 || {
    cat "$work/dpkg.log"
    fail "in the clean root: $*: failed"
  }
}

clean_root() {
  if [ "$(id -u)" != 0 ]; then
    echo "no clean root: only root may use debootstrap and chroot"
    exit 77
  fi
  need debootstrap
  make_root
  files_of_root >"$work/before"
  cp "$packages"/*.deb "$work/root/root/"

  in_root sh -c 'dpkg --install /root/*.deb'
  for link in sockets.target.wants/pollux-device.socket multi-user.target.wants/pollux-device.service; do
    [ -L "$work/root/etc/systemd/system/$link" ] || complain "installed, but it is not enabled: no $link"
  done
  grep -q '^gpio:' "$work/root/etc/group" || complain "installed, but there is no group gpio"
  in_root systemd-analyze verify --man=no pollux-device.socket pollux-device.service
  cat "$work/dpkg.log"
  serve_and_ask /usr/bin/pollux-device /usr/bin/pollux-fetch chroot "$work/root"
  # What is there is that of the packages, and stays so when they are installed over themselves.
  in_root dpkg --verify libpollux-dev libpollux-testing-dev pollux-tools pollux-device
  in_root sh -c 'dpkg --install /root/*.deb'

  # Removed it leaves its state and what the administrator may have written; purged, nothing.
  mkdir -p "$work/root/var/lib/private/pollux-device/tls"
  ln -s private/pollux-device "$work/root/var/lib/pollux-device"
  in_root dpkg --remove libpollux-testing-dev libpollux-dev pollux-tools pollux-device
  for path in usr/bin/pollux-device usr/lib/systemd/system/pollux-device.service etc/systemd/system/sockets.target.wants/pollux-device.socket; do
    [ ! -e "$work/root/$path" ] || complain "removed, but /$path is there"
  done
  for path in etc/default/pollux-device var/lib/private/pollux-device/tls; do
    [ -e "$work/root/$path" ] || complain "removed, and /$path is gone"
  done
  in_root dpkg --purge libpollux-testing-dev libpollux-dev pollux-tools pollux-device
  rm "$work"/root/root/*.deb
  files_of_root >"$work/after"
  diff "$work/before" "$work/after" || complain "purged, but the system is not as it was before"
  rm -rf "$work/root"
}

# What happens in the container, as its root. The last line is the one that is looked for.
guest_script() {
  cat <<'GUEST'
set -eux
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
ask() { timeout 30 pollux-fetch --silent --show-error --fail "$@"; }
state() { systemctl is-active "$1" || true; }
rm -f /usr/sbin/policy-rc.d
trap 'journalctl --no-pager --lines=20 --unit=pollux-device.service' EXIT

: "installed, it runs and answers, as nobody in particular"
dpkg --install /root/*.deb
[ "$(state pollux-device.socket)" = active ]
[ "$(state pollux-device.service)" = active ]
[ "$(ask http://127.0.0.1:8080/healthz)" = ok ]
ask http://127.0.0.1:8080/api/v1/status
pid=$(systemctl show --property MainPID --value pollux-device.service)
[ "$(stat --format %U "/proc/$pid")" != root ]
grep ^VmRSS "/proc/$pid/status"

: "what it is given is kept, also when it is started by the next who asks"
head -c 300000 /dev/urandom >/image
ask --upload-file /image http://127.0.0.1:8080/api/v1/firmware
cmp /image /var/lib/pollux-device/firmware.bin
systemctl stop pollux-device.service
ask http://127.0.0.1:8080/api/v1/firmware
[ "$(state pollux-device.service)" = active ]

: "options are those of /etc/default, and installing it again starts it again"
echo 'POLLUX_DEVICE_OPTIONS="--tls-self-signed /var/lib/pollux-device/tls"' >/etc/default/pollux-device
dpkg --install --force-confold /root/pollux-device_*.deb
[ "$(ask --cacert /var/lib/private/pollux-device/tls/cert.pem https://localhost:8080/healthz)" = ok ]
new=$(systemctl show --property MainPID --value pollux-device.service)
[ "$new" != "$pid" ]
systemctl reload pollux-device.service
[ "$(ask --insecure https://localhost:8080/healthz)" = ok ]

: "what the administrator has disabled stays disabled"
systemctl disable --now pollux-device.socket pollux-device.service
dpkg --install --force-confold /root/pollux-device_*.deb
[ "$(systemctl is-enabled pollux-device.service || true)" = disabled ]
systemctl enable --now pollux-device.socket pollux-device.service
[ "$(state pollux-device.service)" = active ]
[ "$(systemctl show --property NRestarts --value pollux-device.service)" = 0 ]

: "another address, as the README says"
mkdir /etc/systemd/system/pollux-device.socket.d
printf '[Socket]\nListenStream=\nListenStream=8080\n' >/etc/systemd/system/pollux-device.socket.d/override.conf
systemctl daemon-reload
systemctl restart pollux-device.socket
[ "$(ask --insecure https://127.0.0.2:8080/healthz)" = ok ]

: "removed, nothing runs and nobody listens; purged, its state is gone"
cp /usr/bin/pollux-fetch /fetch
dpkg --remove pollux-device
[ "$(state pollux-device.socket)" != active ]
[ "$(state pollux-device.service)" != active ]
[ "$(/fetch --silent http://127.0.0.1:8080/healthz || echo $?)" = 7 ]
dpkg --purge pollux-device
[ ! -e /var/lib/pollux-device ]
[ ! -e /var/lib/private/pollux-device ]
trap - EXIT
set +x
echo all is well
GUEST
}

boot() {
  if [ "$(id -u)" != 0 ]; then
    echo "no container: only root may start one"
    exit 77
  fi
  need debootstrap systemd-nspawn
  make_root
  cp "$packages"/*.deb "$work/root/root/"
  guest_script >"$work/root/check.sh"
  cat >"$work/root/etc/systemd/system/check.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/sh -c "exec /bin/sh /check.sh >/check.log 2>&1"
TimeoutStartSec=240
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
  mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
  ln -s /etc/systemd/system/check.service "$work/root/etc/systemd/system/multi-user.target.wants/check.service"
  # A network of its own, so that no port of this machine is meant.
  timeout --kill-after=10 300 systemd-nspawn --quiet --directory="$work/root" --register=no --keep-unit --private-network --boot \
    </dev/null >"$work/boot.log" 2>&1 || true
  if [ ! -e "$work/root/check.log" ]; then
    tail -n 20 "$work/boot.log"
    fail "the container did not boot"
  fi
  if [ "$(tail -n 1 "$work/root/check.log")" != "all is well" ]; then
    tail -n 40 "$work/root/check.log"
    complain "in the container: the last command above failed"
  fi
  grep ^VmRSS "$work/root/check.log" || true
  rm -rf "$work/root"
}

case $step in
  packages) packages "$@" ;;
  root) clean_root ;;
  boot) boot ;;
  *) fail "$step: no such step" ;;
esac
exit $failed
