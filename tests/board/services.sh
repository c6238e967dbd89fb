#!/bin/sh
# services.sh ROOT UNIT PROGRAM: what starts pollux-device on a board, as far as it can be tried without being the system's first process. UNIT is the
# pollux-device.service that the build has made.
#
#   systemd   the units are right and strict; every system call that the program makes is one that the unit allows; a socket is passed
#   init      the script starts, shows, reloads and stops the program, with each start-stop-daemon that this machine has
#   OpenRC    its script is right by `sh -n`
#
# Listens on unix sockets in a folder of its own. Prints what failed, or "all N checks passed".
set -u
root=$1
unit=$2
program=$3
work=$(mktemp -d)
started=
checks=0

finish() {
  for pid in $started; do
    kill -KILL "$pid" 2>/dev/null
  done
  [ -r "$work/pid" ] && kill -KILL "$(cat "$work/pid")" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "services.sh: $1"
  [ -r "$work/log" ] && cat "$work/log"
  exit 1
}
passed() {
  checks=$((checks + 1))
}
# answers SOCKET: pollux-device answers there, within ten seconds.
answers() {
  curl -s --retry 100 --retry-delay 0 --retry-max-time 10 --retry-all-errors --unix-socket "$1" http://localhost/healthz 2>"$work/log" |
    grep -qx ok
}
# A command that comes true within ten seconds.
comes_true() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || return 1
    sleep 0.1
  done
}

for tool in systemd-analyze systemd-socket-activate strace curl; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing. Type: sudo apt-get install --no-install-recommends systemd strace curl"
done

# ---- systemd

mkdir "$work/units"
sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$unit" >"$work/units/pollux-device.service"
cp "$root/board/systemd/pollux-device.socket" "$work/units/"
systemd-analyze verify --man=no "$work/units/pollux-device.service" "$work/units/pollux-device.socket" >"$work/log" 2>&1 ||
  fail "systemd-analyze verify does not like the units:"
[ -s "$work/log" ] && fail "systemd-analyze verify says:"
passed
systemd-analyze security --offline=yes --no-pager --threshold=20 "$work/units/pollux-device.service" >"$work/log" 2>&1 ||
  fail "the exposure of pollux-device.service is more than 2.0:"
passed
grep -q '^MemoryMax=[1-9][0-9]*M$' "$unit" || fail "$unit has no MemoryMax"
passed

# The calls of the sets that the unit names; a set may name others.
calls_of() {
  systemd-analyze syscall-filter "$1" | sed 's/^ *//' | grep -v '^#' | while read -r name; do
    case $name in
      "$1" | '') ;;
      @*) calls_of "$name" ;;
      *) echo "$name" ;;
    esac
  done
}
{
  for set in $(sed -n 's/^SystemCallFilter=\([^~]\)/\1/p' "$unit"); do
    case $set in @*) calls_of "$set" ;; *) echo "$set" ;; esac
  done
} | sort -u >"$work/listed"
for set in $(sed -n 's/^SystemCallFilter=~//p' "$unit"); do
  calls_of "$set"
done | sort -u >"$work/refused"
# What is refused comes later in the file than the first set and earlier than the last line; a call named alone is allowed after all.
sed -n 's/^SystemCallFilter=\([a-z]\)/\1/p' "$unit" | tr ' ' '\n' | sort -u >"$work/named"
comm -23 "$work/listed" "$work/refused" | sort -u - "$work/named" >"$work/allowed"
grep -qx epoll_create1 "$work/allowed" && ! grep -qx reboot "$work/allowed" || fail "the list of allowed calls was not understood"
passed

# A life with all of it: https, status, metrics, the page, an LED, an upload, a reload, the end.
mkdir -p "$work/data/tls" "$work/sys/class/leds/ACT"
for file in brightness max_brightness trigger; do
  case $file in trigger) echo '[none] timer' ;; *) echo 1 ;; esac >"$work/sys/class/leds/ACT/$file"
done
env NOTIFY_SOCKET="$work/notify" WATCHDOG_USEC=200000 strace -f -o "$work/trace" "$program" --listen "unix:$work/socket" --listen 127.0.0.1:0 --data "$work/data" \
  --tls-self-signed "$work/data/tls" --sysfs "$work/sys" >"$work/output" 2>"$work/log" &
tracer=$!
started="$started $tracer"
answers "$work/socket" || fail "pollux-device does not answer"
port=$(sed -n 's|^listening on https://127.0.0.1:||p' "$work/output")
head -c 3000000 /dev/zero >"$work/image"
for path in / /metrics /api/v1/status /api/v1/pollux /api/v1/leds /api/v1/gpio /api/v1/firmware; do
  curl -s -o "$work/answer" --unix-socket "$work/socket" "http://localhost$path" || fail "GET $path failed"
done
curl -sf -o "$work/answer" --unix-socket "$work/socket" -X PUT -d '{"brightness":1}' http://localhost/api/v1/leds/ACT || fail "the LED was not switched"
curl -sf -o "$work/answer" --unix-socket "$work/socket" -T "$work/image" http://localhost/api/v1/firmware || fail "the upload failed"
curl -sf -o "$work/answer" --cacert "$work/data/tls/cert.pem" "https://localhost:$port/api/v1/status" || fail "https failed"
device=$(sed -n '1s/ .*//p' "$work/trace")
kill -HUP "$device"
answers "$work/socket" || fail "pollux-device does not answer after HUP"
kill "$device"
wait "$tracer" || fail "pollux-device ended with status $?"
started=
passed
# strace's lines: PID call(...); what comes before the program itself is execve's.
sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$work/trace" | sort -u >"$work/used"
[ "$(wc -l <"$work/used")" -gt 20 ] || fail "strace saw less than 20 calls"
# A refused one of these changes nothing: the C library asks for the size of the stack and goes on without.
comm -23 "$work/used" "$work/allowed" | grep -vx -e prlimit64 -e getrlimit >"$work/wrong"
[ -s "$work/wrong" ] && fail "pollux-device.service refuses calls that the program makes: $(tr '\n' ' ' <"$work/wrong")"
passed

# Socket activation: the first connection starts it.
systemd-socket-activate -l "$work/activated" "$program" >"$work/output" 2>"$work/log" &
started=$!
comes_true test -S "$work/activated" || fail "systemd-socket-activate does not listen"
answers "$work/activated" || fail "pollux-device does not answer on a socket it was passed"
grep -q '^listening on ' "$work/output" || fail "pollux-device does not say that it listens on what it was passed"
kill "$started" && wait "$started" || fail "pollux-device ended with status $?"
started=
passed

# ---- init

script=$root/board/init/pollux-device.init
try_init() {
  cat >"$work/default" <<TEXT
POLLUX_DEVICE_OPTIONS="--sysfs $work/sys --allow-host init.example"
POLLUX_DEVICE_LISTEN=unix:$work/init-socket
POLLUX_DEVICE_PROGRAM=$program
POLLUX_DEVICE_DATA=$work/init-data
POLLUX_DEVICE_USER=$(id -un)
POLLUX_DEVICE_PIDFILE=$work/pid
TEXT
  POLLUX_DEVICE_CONFIG=$work/default
  export POLLUX_DEVICE_CONFIG
  PATH=$1:$PATH sh "$script" status >"$work/log" 2>&1
  [ $? = 3 ] || fail "$2: status of what does not run is not 3:"
  PATH=$1:$PATH sh "$script" start >"$work/log" 2>&1 || fail "$2: it does not start:"
  answers "$work/init-socket" || fail "$2: pollux-device does not answer"
  PATH=$1:$PATH sh "$script" status >"$work/log" 2>&1 || fail "$2: status does not see it:"
  PATH=$1:$PATH sh "$script" start 2>&1 | grep -q 'runs already' || fail "$2: it starts twice"
  PATH=$1:$PATH sh "$script" restart >"$work/log" 2>&1 || fail "$2: it does not start again:"
  answers "$work/init-socket" || fail "$2: pollux-device does not answer after restart"
  PATH=$1:$PATH sh "$script" stop >"$work/log" 2>&1 || fail "$2: it does not stop:"
  [ ! -e "$work/pid" ] || fail "$2: the process file is left"
  PATH=$1:$PATH sh "$script" status >"$work/log" 2>&1
  [ $? = 3 ] || fail "$2: it runs after stop:"
  [ -d "$work/init-data/tls" ] || fail "$2: no folder for its data was made"
  passed
}
sh -n "$script" && sh -n "$root/board/init/pollux-device.openrc" || fail "a script in board/init is wrong"
passed
sh "$script" nonsense >"$work/log" 2>&1
[ $? = 2 ] || fail "the init script takes a command that there is none of:"
[ -x /sbin/start-stop-daemon ] && try_init /sbin "Debian's start-stop-daemon"
if command -v busybox >/dev/null 2>&1; then
  mkdir "$work/busybox"
  ln -s "$(command -v busybox)" "$work/busybox/start-stop-daemon"
  try_init "$work/busybox" "BusyBox' start-stop-daemon"
fi
echo "all $checks checks passed"
