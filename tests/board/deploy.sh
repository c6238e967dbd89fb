#!/bin/sh
# deploy.sh ROOT: board/deploy and board/init/install, with a board that is a folder: ssh, cmake and the commands of a service manager are scripts that do
# or write down what they are told. Prints what failed, or "all N checks passed".
set -u
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
checks=0

fail() {
  echo "deploy.sh: $1"
  cat "$work/output" "$work/calls" 2>/dev/null
  exit 1
}
# says TEXT: the last run of deploy printed it.
says() {
  grep -qF -e "$1" "$work/output" || fail "it does not say: $1"
  checks=$((checks + 1))
}
called() {
  grep -qF -e "$1" "$work/calls" || fail "this was not called: $1"
  checks=$((checks + 1))
}
# holds FILE TEXT: a file of the board has a line with this text.
holds() {
  grep -qF -e "$2" "$work/board/$1" || fail "$1 of the board does not say: $2"
  checks=$((checks + 1))
}

# ---- the tree that is deployed from, its tools, and the board

mkdir -p "$work/tree/toolchains" "$work/here" "$work/there" "$work/account" "$work/temporary"
cp -R "$root/board" "$work/tree/board"
export CALLS="$work/calls" BOARD="$work/board" BOARD_HOME="$work/account" BOARD_BIN="$work/there" MACHINE=aarch64 TMPDIR="$work/temporary"

fake() { # FILE, and its text on standard input
  { printf '#!/bin/sh\n'; cat; } >"$1"
  chmod 755 "$1"
}
fake "$work/tree/toolchains/setup" <<'TEXT'
echo "setup $*" >>"$CALLS"
[ "${SETUP_FAILS-}" = "" ] || { echo "sudo apt-get install something"; exit 1; }
TEXT
fake "$work/here/cmake" <<'TEXT'
echo "cmake $*" >>"$CALLS"
case $1 in
  --preset) mkdir -p "$4/bin" "$4/board/systemd" && echo "CMAKE_STRIP:FILEPATH=fake-strip" >"$4/CMakeCache.txt"
    printf '[Service]\nExecStart=/somewhere/pollux-device --data D $POLLUX_DEVICE_OPTIONS\n' >"$4/board/systemd/pollux-device.service" ;;
  --build) [ "${BUILD_FAILS-}" = "" ] || { echo "error: of the compiler"; exit 1; }
    printf '#!/bin/sh\necho "program $*" >>"$CALLS"\nfor option in "$@"; do echo "option $option" >>"$CALLS"; done\n' >"$2/bin/pollux-device"; chmod 755 "$2/bin/pollux-device" ;;
esac
TEXT
fake "$work/here/fake-strip" <<'TEXT'
cp "$3" "$2"
TEXT
fake "$work/here/ssh" <<'TEXT'
while :; do
  case $1 in
    -G) echo "hostname ${2#*@}"; exit 0 ;;
    -O) exit 0 ;;
    -o) shift 2 ;;
    -t) shift ;;
    *) break ;;
  esac
done
echo "ssh $*" >>"$CALLS"
[ "${SSH_FAILS-}" = "" ] || exit 255
shift
cd "$BOARD_HOME" && PATH="$BOARD_BIN:$PATH" exec sh -c "$*"
TEXT
fake "$work/here/curl" <<'TEXT'
echo "curl $*" >>"$CALLS"
echo "${ANSWER-ok}"
TEXT
fake "$work/there/uname" <<'TEXT'
echo "$MACHINE"
TEXT
fake "$work/there/sudo" <<'TEXT'
echo "sudo $*" >>"$CALLS"
DESTDIR=$BOARD exec "$@"
TEXT
for command in systemctl udevadm groupadd rc-update rc-service update-rc.d; do
  fake "$work/there/$command" <<TEXT
echo "$command \$*" >>"\$CALLS"
TEXT
done
new_board() {
  rm -rf "$work/board" "$work/account"
  mkdir -p "$work/account" "$work/board/etc"
}
# deploy STATUS ARGUMENT...: runs it, and it ends with that status.
deploy() {
  expected=$1
  shift
  : >"$work/calls"
  PATH="$work/here:$PATH" "$work/tree/board/deploy" "$@" >"$work/output" 2>&1
  status=$?
  [ "$status" = "$expected" ] || fail "deploy $*: ended with status $status, not $expected"
  checks=$((checks + 1))
}

# ---- what is typed

deploy 0 --help
says 'Usage: board/deploy BOARD [USER@]HOST'
deploy 2
says 'no board is named'
deploy 2 commodore_64 host
says 'commodore_64: no such board. There is: beaglebone_black qemu_virt raspberry_pi_4 raspberry_pi_zero visionfive_2'
deploy 2 raspberry_pi_4
says 'no host is named: board/deploy raspberry_pi_4 USER@HOST'
deploy 2 raspberry_pi_4 a b
deploy 2 raspberry_pi_4 host --sevice
says '--sevice: unknown option'
deploy 2 raspberry_pi_4 host --port 8o
says '"8o" is not a port'

# ---- building

new_board
deploy 0 raspberry_pi_4 --build-only
called 'setup raspberry_pi_4'
called "cmake --preset raspberry_pi_4 -B $work/tree/build/raspberry_pi_4"
SETUP_FAILS=1 deploy 1 raspberry_pi_4 pi@pi.local
says 'sudo apt-get install something'
BUILD_FAILS=1 deploy 1 raspberry_pi_4 pi@pi.local
says 'error: of the compiler'
says 'board/deploy: raspberry_pi_4 was not built: see above'

# ---- starting it

deploy 0 raspberry_pi_4 pi@raspberrypi.local -- --gpio "it's=x:1:out" --data '/a b'
says 'Open http://raspberrypi.local:8080/ in a browser'
called 'program --listen 0.0.0.0:8080 --gpio'
called "option it's=x:1:out"
called 'option /a b'
deploy 0 raspberry_pi_4 192.0.2.7 --port 80
says 'Open http://192.0.2.7:80/'
called 'program --listen 0.0.0.0:80'
! grep -q -e --allow-host "$work/calls" || fail "an address needs no --allow-host"
deploy 0 raspberry_pi_4 pi@pi.lan
called 'option --allow-host'
called 'option pi.lan'
SSH_FAILS=1 deploy 1 raspberry_pi_4 pi@pi.local
says 'pi@pi.local: ssh does not get there. Try: ssh pi@pi.local'
MACHINE=armv7l deploy 1 raspberry_pi_4 pi@pi.local
says 'board/deploy raspberry_pi_zero pi@pi.local'
MACHINE=x86_64 deploy 1 visionfive_2 pi@pi.local
says 'pi@pi.local is a x86_64, and visionfive_2 is not'
for pair in raspberry_pi_zero:armv6l raspberry_pi_zero:armv7l beaglebone_black:armv7l visionfive_2:riscv64; do
  MACHINE=${pair#*:} deploy 0 "${pair%:*}" host
done

# ---- as a service

new_board
mkdir -p "$work/board/run/systemd/system"
deploy 0 raspberry_pi_4 pi@pi.lan --service --port 81 -- --gpio GPIO17:out
says 'is installed, started by systemd, on 0.0.0.0:81. How it is: systemctl status pollux-device'
says 'Open http://pi.lan:81/ in a browser.'
holds etc/default/pollux-device 'POLLUX_DEVICE_OPTIONS="--allow-host pi.lan --gpio GPIO17:out"'
holds etc/systemd/system/pollux-device.service 'ExecStart=/usr/local/bin/pollux-device --data D'
holds etc/systemd/system/pollux-device.socket '[Socket]'
holds etc/systemd/system/pollux-device.socket.d/listen.conf 'ListenStream=0.0.0.0:81'
holds etc/udev/rules.d/60-pollux-device.rules 'gpio'
holds usr/local/bin/pollux-device 'program'
[ -x "$work/board/usr/local/bin/pollux-device" ] || fail "the program may not be started"
called 'groupadd --system gpio'
called 'systemctl enable pollux-device.socket pollux-device.service'
called 'systemctl start pollux-device.socket pollux-device.service'
# The chips are the group's before the service opens them.
order=$(sed -n -e 's/^udevadm \([a-z]*\).*/\1/p' -e 's/^systemctl start .*/start/p' "$work/calls" | tr '\n' ' ')
[ "$order" = 'control trigger settle start ' ] || fail "the service starts before udev is done: $order"
# Once more: the settings stay, the group is there.
echo 'gpio:x:997:' >"$work/board/etc/group"
deploy 0 raspberry_pi_4 pi@pi.local --service -- --watchdog board
says 'stays as it is: --watchdog board: not added'
holds etc/systemd/system/pollux-device.socket.d/listen.conf 'ListenStream=0.0.0.0:8080'
! grep -q groupadd "$work/calls" || fail "the group was made again"
ANSWER=no deploy 1 raspberry_pi_4 pi@pi.local --service
says 'nobody answers on http://pi.local:8080/'
deploy 0 raspberry_pi_4 pi@pi.local --remove
called 'systemctl disable --now pollux-device.service pollux-device.socket'
! grep -q cmake "$work/calls" || fail "removing builds"
left=$(find "$work/board" -type f | sed "s|^$work/board/||" | LC_ALL=C sort | tr '\n' ' ')
[ "$left" = "etc/default/pollux-device etc/group " ] || fail "--remove leaves $left"

new_board
mkdir -p "$work/board/sbin" "$work/board/etc/init.d"
: >"$work/board/sbin/openrc-run"
chmod 755 "$work/board/sbin/openrc-run"
deploy 0 raspberry_pi_zero alpine --service
called 'rc-update add pollux-device default'
called 'rc-service pollux-device restart'
holds etc/default/pollux-device 'POLLUX_DEVICE_LISTEN=0.0.0.0:8080'
holds etc/init.d/pollux-device 'supervise-daemon'
says 'How it is: rc-service pollux-device status'
# Another port: the settings stay, and what is said is what they say.
deploy 0 raspberry_pi_zero alpine --service --port 81
says 'stays as it is: POLLUX_DEVICE_LISTEN=0.0.0.0:8080, not 0.0.0.0:81'
says 'started by openrc, on 0.0.0.0:8080.'
deploy 0 raspberry_pi_zero alpine --remove
[ ! -e "$work/board/etc/init.d/pollux-device" ] || fail "OpenRC's script is left"

fake "$work/tree/board/init/pollux-device.init" <<'TEXT'
echo "init $*" >>"$CALLS"
TEXT
new_board
mkdir -p "$work/board/etc/init.d"
: >"$work/board/etc/init.d/rcS"
deploy 0 beaglebone_black buildroot --service
called 'init restart'
says 'How it is: /etc/init.d/S80pollux-device status'
[ -x "$work/board/etc/init.d/S80pollux-device" ] || fail "the init script has not the name that BusyBox starts"
deploy 0 beaglebone_black buildroot --remove
called 'init stop'
! grep -q update-rc.d "$work/calls" || fail "update-rc.d is called where there is none"

new_board
mkdir -p "$work/board/etc/init.d" "$work/board/usr/sbin"
fake "$work/board/usr/sbin/update-rc.d" </dev/null
# An option that would not arrive as it is: nothing is put in place.
deploy 1 raspberry_pi_4 pi@pi.local --service -- --gpio 'a$b=x:1'
says 'a$b=x:1: this does not fit into /etc/default/pollux-device'
left=$(find "$work/board" -type f | sed "s|^$work/board/||" | tr '\n' ' ')
[ "$left" = 'usr/sbin/update-rc.d ' ] || fail "a refused option leaves $left"
deploy 0 raspberry_pi_4 pi@pi.local --service
called 'update-rc.d pollux-device defaults'
deploy 0 raspberry_pi_4 pi@pi.local --remove
called 'update-rc.d -f pollux-device remove'

new_board
deploy 1 raspberry_pi_4 pi@pi.local --service
says 'neither systemd nor OpenRC nor /etc/init.d'
leftover=$(ls -A "$work/temporary")
[ -z "$leftover" ] || fail "temporary files are left: $leftover"
echo "all $checks checks passed"
