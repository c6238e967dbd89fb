"""The boot test: what has to be true of a machine that serves. Each check is a function of CHECKS; its first line is what is printed.

A check asks pollux from outside, over the network, and looks at the same thing by a way that pollux has no part in: the agent on the serial
line, or QEMU. All waiting is polling with a bound.
"""
import contextlib
import email.utils
import hashlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import time

import resident
from machine import MEBIBYTE, Guest, GuestFailure, is_static

HELLO_PORTS = {"http": 81, "https": 444}


class Failed(Exception):
    pass


def run(machine, name, kernel, programs, log, tests=()):
    """Boots the machine and runs every check. How many passed and failed."""
    print(f"{name}: {machine.memory} MB, Debian's {kernel.glob('boot/vmlinuz-*').__next__().name}", flush=True)
    passed = failed = 0
    started = time.monotonic()
    try:
        ports = {port: 0 for port in (80, 443, *HELLO_PORTS.values())}
        with Guest(machine, name, kernel, programs, ports, log, tests) as guest:
            test = Test(guest, programs)
            for check in CHECKS + tuple(program_check(path.name) for path in tests):
                outcome = run_one(check, test)
                if outcome is True:
                    passed += 1
                elif outcome is False:
                    failed += 1
                    if not test.is_booted or not guest.is_running():
                        print(indented(guest.last_words()))
                        print("  the machine is not there; the other checks are left out")
                        break
    except (GuestFailure, LookupError, OSError, subprocess.SubprocessError) as error:
        failed += 1
        print(f"  FAILED  {error}", flush=True)
    print(f"{name}: {passed} passed, {failed} failed in {time.monotonic() - started:.0f} s; the console is in {log}", flush=True)
    return passed, failed


def run_one(check, test):
    """True or False: passed or failed; None: left out."""
    title = check.__doc__.splitlines()[0].rstrip(".")
    started = time.monotonic()
    problem = None
    try:
        detail = check(test)
    except Skipped as reason:
        print(f"  left out       {title}: {reason}", flush=True)
        return None
    except Exception as error:  # an answer of another shape than expected too
        problem = f"{type(error).__name__}: {error}"
    took = time.monotonic() - started
    if problem is None:
        print(f"  ok    {took:5.1f} s  {title}{': ' + detail if detail else ''}", flush=True)
        return True
    print(f"  FAILED {took:4.1f} s  {title}\n{indented(problem)}", flush=True)
    with contextlib.suppress(GuestFailure, OSError):
        print(indented(test.guest.run_any("dmesg | tail -n 15")[1]), flush=True)
    return False


class Skipped(Exception):
    pass


def indented(text):
    return "\n".join("          " + line for line in text.splitlines())


def expect(condition, message):
    if not condition:
        raise Failed(message)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what} is {got!r}, not {wanted!r}")


def until(condition, what, deadline):
    """Asks again and again until `condition()` is true. What it gave then."""
    end = time.monotonic() + deadline
    while True:
        problem = None
        try:
            value = condition()
            if value:
                return value
        except (OSError, http.client.HTTPException) as error:
            problem = error
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {deadline} s" + (f" ({problem!r})" if problem else ""))
        time.sleep(0.05)


class Test:
    """What checks share: the guest, and a client of it."""

    def __init__(self, guest, programs):
        self.guest = guest
        self.programs = programs
        self.is_booted = False
        self.trust = None  # of the guest's own certificate
        self.certificate = None
        self.image_hash = None

    def connection(self, scheme, port, timeout):
        if scheme == "https":
            return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=self.trust)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def request(self, method, path, body=None, scheme="http", guest_port=None, timeout=10):
        """One request on a connection of its own: (status, headers, body). `body`: bytes, or an object that becomes JSON."""
        port = self.guest.ports[guest_port or {"http": 80, "https": 443}[scheme]]
        with contextlib.closing(self.connection(scheme, port, timeout)) as connection:
            if isinstance(body, dict):
                body = json.dumps(body).encode()
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def get(self, path, scheme="http"):
        status, _, body = self.request("GET", path, scheme=scheme)
        expect_equal(status, 200, f"the status of {path}")
        return json.loads(body) if path.startswith("/api/") else body

    def put(self, path, body):
        status, _, answer = self.request("PUT", path, body)
        expect_equal(status, 200, f"the status of PUT {path} ({answer.decode(errors='replace')})")
        return json.loads(answer)

    def is_served(self, scheme="http", timeout=2):
        return self.request("GET", "/healthz", scheme=scheme, timeout=timeout)[2] == b"ok\n"

    def pid(self, words):
        """The process of pollux-device whose command line has these words."""
        text = self.guest.run(f"grep -l -e '{words}' /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do "
                              "echo $(readlink ${file%cmdline}exe) $file; done")
        found = re.search(r"/bin/pollux-\S+ /proc/(\d+)/", text)
        expect(found, f"no program of ours has {words} in its command line: {text!r}")
        return int(found.group(1))

    def uptime(self):
        return float(self.guest.run("cat /proc/uptime").split()[0])

    def meminfo(self, name, file="/proc/meminfo"):
        return int(self.guest.run(f"grep '^{name}:' {file}").split()[1])


# --- the checks, in their order ---


def http_answers(test):
    """Boots and answers over http."""
    # Not asked before: QEMU's USB network adapter stops the whole machine if packets come before the guest knows it.
    test.guest.wait_for_agent()
    until(test.is_served, "an answer over http", 30)
    took = time.monotonic() - test.guest.started
    test.is_booted = True
    return f"{took:.1f} s after the machine was switched on"


def https_answers(test):
    """Answers over https, verified with the certificate it made for itself."""
    guest = test.guest
    guest.run("for i in $(seq 300); do [ -s /data/tls/cert.pem ] && exit; usleep 100000; done; exit 1", deadline=60)
    test.certificate = guest.run("cat /data/tls/cert.pem")
    test.trust = ssl.create_default_context(cadata=test.certificate)
    until(lambda: test.is_served("https"), "an answer over https", 30)
    with socket.create_connection(("127.0.0.1", guest.ports[443]), 10) as connection:
        started = time.monotonic()
        with test.trust.wrap_socket(connection, server_hostname="localhost") as tls:
            took = time.monotonic() - started
            version = tls.version()
    stranger = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", guest.ports[443]), 10) as connection:
        try:
            stranger.wrap_socket(connection, server_hostname="localhost").close()
            raise Failed("a client that does not know the certificate took it")
        except ssl.SSLCertVerificationError:
            pass
    return f"{version}, handshake {took * 1000:.0f} ms"


def status_is_true(test):
    """The status says what the kernel says."""
    guest = test.guest
    status = test.get("/api/v1/status", "https")
    expect_equal(status["model"], guest.machine.model, "the model")
    expect_equal(status["hostname"], guest.run("hostname").strip(), "the hostname")
    total = test.meminfo("MemTotal") * 1024
    expect_equal(status["memory"]["total"], total, "the memory")
    expect(total < guest.machine.memory * MEBIBYTE, f"{total} bytes are more memory than the machine has")
    uptime = test.uptime()
    expect(0 <= uptime - status["uptime_s"] < 10, f"the uptime is {status['uptime_s']}, the kernel's {uptime}")
    addresses = [address for interface in status["interfaces"] if interface["name"] == guest.machine.interface
                 for address in interface["addresses"]]
    expect("10.0.2.15/24" in str(addresses), f"the network's address is not in {addresses}")
    return f"{status['model']}, {total // 1024:,} KiB of {guest.machine.memory} MB left by the kernel"


def time_is_right(test):
    """The time comes from the real-time clock."""
    guest = test.guest
    if guest.run_any("[ -e /sys/class/rtc/rtc0 ]")[0] != 0:
        raise Skipped("this machine has no clock")
    _, headers, _ = test.request("GET", "/healthz")
    date = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    for what, seconds in (("the Date field", date), ("rtc0", int(guest.run("cat /sys/class/rtc/rtc0/since_epoch")))):
        expect(abs(seconds - time.time()) < 10, f"{what} is {seconds - time.time():.0f} s off")
    return guest.run("cat /sys/class/rtc/rtc0/name").strip()


def led_switches(test):
    """An LED is switched, seen inside the guest and on its pin."""
    guest = test.guest
    name, place = guest.machine.led, guest.machine.led_pin
    if not name:
        raise Skipped("this machine has no LED")
    names = {led["name"] for led in test.get("/api/v1/leds")["leds"]}
    expect(name in names, f"the LEDs are {names}")
    path, folder = f"/api/v1/leds/{name}", f"/sys/class/leds/{name}"
    for wanted in (1, 0, 1):
        answer = test.put(path, {"brightness": wanted, "trigger": "none"})
        expect_equal(answer["brightness"], wanted, "the brightness in the answer")
        expect_equal(int(guest.run(f"cat {folder}/brightness")), wanted, "the brightness in /sys")
        expect_equal(guest.pin(place), wanted, "the pin")
    test.put(path, {"trigger": "timer"})
    expect("[timer]" in guest.run(f"cat {folder}/trigger"), "the trigger is not in /sys")
    seen = guest.pin(place)
    until(lambda: guest.pin(place) != seen, "the pin of an LED that blinks changes", 10)
    test.put(path, {"trigger": "none", "brightness": 0})
    status, _, _ = test.request("PUT", path, {"brightness": 256})
    expect_equal(status, 400, "the status for a brightness that the LED does not have")


def line_switches(test):
    """A GPIO line is switched, and seen on its pin."""
    for wanted in (1, 0, 1, 0):
        expect_equal(test.put("/api/v1/gpio/relay", {"value": wanted})["value"], wanted, "the value in the answer")
        expect_equal(test.guest.pin(test.guest.machine.relay_pin), wanted, "the pin")


def button_is_read(test):
    """A button is pressed and read."""
    guest = test.guest
    if not guest.machine.has_button:
        raise Skipped("this machine has no button")
    status, _, _ = test.request("PUT", "/api/v1/gpio/button", {"value": 1})
    expect(400 <= status < 500, f"the status for switching an input is {status}")
    expect_equal(test.get("/api/v1/gpio/button")["value"], 0, "the button")

    def is_read():
        guest.qmp("system_powerdown")  # a pulse of 100 ms on the line: when the host is busy, not every one is seen
        return any(test.get("/api/v1/gpio/button")["value"] == 1 for _ in range(10))

    until(is_read, "the button is read as pressed", 30)
    until(lambda: test.get("/api/v1/gpio/button")["value"] == 0, "the button is read as released", 10)


def image_is_uploaded(test):
    """A large image is uploaded, and is on the disk as it was sent."""
    size = test.guest.machine.image * MEBIBYTE
    rate, digest = upload(test, "http", size)
    test.guest.run("echo 1 >/proc/sys/vm/drop_caches")  # from the disk, not from memory
    expect_equal(test.guest.run("sha256sum /data/firmware.bin", 60).split()[0], digest, "the SHA-256 in the guest")
    expect_equal(test.get("/api/v1/firmware")["size"], size, "the size it says")
    test.image_hash = digest
    return f"{size // MEBIBYTE} MiB on {test.guest.machine.memory} MB, {rate:.1f} MB/s"


def image_is_uploaded_by_https(test):
    """An image is uploaded over https."""
    size = min(16, test.guest.machine.image) * MEBIBYTE
    rate, digest = upload(test, "https", size)
    expect_equal(test.guest.run("sha256sum /data/https/firmware.bin", 60).split()[0], digest, "the SHA-256 in the guest")
    return f"{size // MEBIBYTE} MiB at {rate:.1f} MB/s"


def upload(test, scheme, size):
    """Streams an image that is the same each time and repeats nowhere."""
    blocks = [hashlib.shake_256(f"pollux {number}".encode()).digest(MEBIBYTE) for number in range(4)]
    digest = hashlib.sha256()

    def body():
        for number in range(size // MEBIBYTE):
            block = number.to_bytes(8, "big") + blocks[number % len(blocks)][8:]
            digest.update(block)
            yield block

    port = test.guest.ports[{"http": 80, "https": 443}[scheme]]
    started = time.monotonic()
    with contextlib.closing(test.connection(scheme, port, 60)) as connection:
        connection.request("PUT", "/api/v1/firmware", body(), {"Content-Length": str(size)})
        answer = connection.getresponse()
        text = answer.read()
    expect_equal(answer.status, 200, f"the status of the upload ({text.decode(errors='replace')})")
    expect_equal(json.loads(text)["size"], size, "the size in the answer")
    return size / (time.monotonic() - started) / 1e6, digest.hexdigest()


def https_is_served_to_many(test):
    """As many clients as there are TLS sessions are served at the same time."""
    pools = {pool["name"]: pool for pool in test.get("/api/v1/pollux", "https")["pools"]}
    count = min(pools["TLS sessions"]["size"], pools["connections"]["size"])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(test.connection("https", test.guest.ports[443], 30))) for _ in range(count)]
        for _ in range(2):
            for client in clients:
                client.request("GET", "/healthz")
            for client in clients:
                expect_equal(client.getresponse().read(), b"ok\n", "the answer")
    return f"{count} clients"


def memory_is_small(test):
    """What pollux-device uses."""
    guest = test.guest
    used = [f"{name} {resident.measure(guest, test.pid(words), test.programs / 'pollux-device').short()}"
            for name, words in (("http", "--data"), ("https", "--tls-self-signed"))]
    free = test.meminfo("MemAvailable")
    expect(free > 4096, f"only {free} KiB are left")
    return (f"{'; '.join(used)}; available {free:,} KiB, {test.meminfo('MemAvailable', '/run/meminfo-before'):,} before they "
            "started")


def hello_is_small(test):
    """What pollux-hello uses besides its pools and the arena of TLS."""
    guest = test.guest
    program = test.programs / "pollux-hello"
    tls_options = "--tls-cert /data/tls/cert.pem --tls-key /data/tls/key.pem"
    guest.run("mkdir -p /tmp/debug; mountpoint -q /tmp/debug || mount -t debugfs debugfs /tmp/debug")
    texts = []
    for scheme, port in HELLO_PORTS.items():
        options = tls_options if scheme == "https" else ""
        sizes = []
        # With each page that is used the kernel maps those of the program's file that are beside it and in memory already, 64 KiB in all;
        # the second time it does not, and what is counted is what the program uses.
        for around in (65536, 4096):
            guest.run(f"echo {around} >/tmp/debug/fault_around_bytes")
            guest.run(f"pollux-hello --listen 0.0.0.0:{port} {options} >/dev/kmsg 2>&1 &")
            until(lambda: test.request("GET", "/hello", scheme=scheme, guest_port=port)[2] == b"Hello, world!",
                  f"hello over {scheme}", 20)
            for _ in range(8):
                test.request("GET", "/hello", scheme=scheme, guest_port=port)
            pid = test.pid(f"0.0.0.0:{port}")
            sizes.append(resident.measure(guest, pid, program))
            guest.run(f"kill {pid}; while [ -e /proc/{pid} ]; do usleep 10000; done")
        guest.run("echo 65536 >/tmp/debug/fault_around_bytes")
        texts.append(f"{scheme} {sizes[0].short()}, used {sizes[1].besides // 1024}")
        limit = guest.machine.hello_used_max.get(scheme)
        if limit and is_static(program):
            expect(sizes[1].besides <= limit * 1024, f"more than {limit} KiB are used: {texts[-1]}")
    return "; ".join(texts)


def time_goes_on(test):
    """The time goes beyond 2038."""
    guest = test.guest
    far = 2208988800  # 1 January 2040
    if guest.run_any(f"date -s @{far}")[0] != 0:
        raise Skipped("this busybox cannot set such a time")
    try:
        _, headers, _ = test.request("GET", "/healthz")
        expect(headers["Date"].startswith("Sun, 01 Jan 2040 00:0"), f"the Date field is {headers['Date']}")
        told = test.get("/api/v1/status")["time"]
        expect(told["utc"].startswith("2040-01-01T00:0") and 0 <= told["unix"] - far < 600, f"the status has {told}")
    finally:
        guest.run(f"date -s @{int(time.time())}")


def init_restarts(test):
    """A program that dies is started again by init."""
    pid = test.pid("--data")
    test.guest.run(f"kill -9 {pid}")
    until(test.is_served, "an answer", 20)
    expect(test.pid("--data") != pid, "the process is the same")


def network_is_pulled(test):
    """The network is pulled out and plugged in again; connections from before are gone after their deadlines."""
    guest = test.guest
    # One that says nothing, one in the middle of a head, one in the middle of a body.
    stuck = []
    for text in (b"", b"GET /healthz HTTP/1.1\r\nHo", b"PUT /api/v1/gpio/relay HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{"):
        stuck.append(socket.create_connection(("127.0.0.1", guest.ports[80]), 10))
        stuck[-1].sendall(text)
    try:
        until(lambda: used_connections(test) == len(stuck), "the connections are taken", 10)
        guest.qmp("set_link", name="net0", up=False)
        if guest.machine.has_carrier:
            until(lambda: guest.run_any(f"cat /sys/class/net/{guest.machine.interface}/carrier")[1].strip() == "0", "the guest sees it", 10)
        try:
            test.is_served(timeout=1)
            raise Failed("it answers without a network")
        except (TimeoutError, OSError, http.client.HTTPException):
            pass
        until(lambda: used_connections(test) == 0, "the connections are gone", 30)
        guest.qmp("set_link", name="net0", up=True)
        started = time.monotonic()
        until(lambda: test.is_served(timeout=1), "an answer over http after it is plugged in", 20)
        took = time.monotonic() - started
        until(lambda: test.is_served("https"), "an answer over https after it is plugged in", 20)
        return f"answers {took:.1f} s after it is plugged in"
    finally:
        for connection in stuck:
            connection.close()


def used_connections(test):
    """How many connections the http server has, asked from inside; the one that asks is not counted."""
    text = test.guest.run("wget -q -O - http://127.0.0.1/api/v1/pollux")
    return next(pool["used"] for pool in json.loads(text)["pools"] if pool["name"] == "connections") - 1


def watchdog_resets(test):
    """A watchdog is fed; when the program hangs it is not, and the machine starts anew, in the middle of an upload."""
    guest = test.guest
    if not guest.machine.watchdog:
        raise Skipped("this machine has no watchdog that works in QEMU")
    pid = test.pid("--watchdog")
    seconds = int(guest.machine.watchdog.rpartition(":")[2])
    until(lambda: test.uptime() > 4 * seconds, "the machine has run four times as long as the watchdog waits", 60)
    fed = test.uptime()
    expect(not guest.has_seen("RESET"), "the machine has been reset although the watchdog is fed")
    with contextlib.closing(test.connection("http", guest.ports[80], 30)) as connection:
        connection.putrequest("PUT", "/api/v1/firmware")
        connection.putheader("Content-Length", str(64 * MEBIBYTE))
        connection.endheaders(bytes(8 * MEBIBYTE))
        until(lambda: guest.run_any("[ -s /data/firmware.bin.part ]")[0] == 0, "the upload is on the disk", 20)
        started = time.monotonic()
        guest.run(f"kill -STOP {pid}")
        guest.wait_for_event("RESET", 60)
        took = time.monotonic() - started
    guest.wait_for_agent()
    until(test.is_served, "an answer over http", 30)
    until(lambda: test.is_served("https"), "an answer over https", 30)
    return f"fed for {fed:.0f} s; reset {took:.1f} s after the program hung"


def disk_is_whole(test):
    """After the reset the image and the certificate are those from before, and of the upload nothing is left."""
    if not test.guest.machine.has_disk:
        raise Skipped("this machine has no disk")
    expect_equal(test.guest.run("sha256sum /data/firmware.bin", 60).split()[0], test.image_hash, "the SHA-256 of the image")
    expect_equal(test.guest.run("cat /data/tls/cert.pem"), test.certificate, "the certificate")
    expect("part" not in test.guest.run("ls -A /data"), "there is something left of the upload")


def program_check(name):
    """A check of a test program: all its tests pass in the guest."""

    def passes(test):
        # Files are written on the disk, not in memory.
        status, text = test.guest.run_any(f"cd /data && HOME=/data TMPDIR=/data tests/{name} --gtest_brief=1", 300)
        expect(status == 0, f"status {status}\n" + "\n".join(text.splitlines()[-40:]))
        return ", ".join(line.strip() for line in text.splitlines() if line.startswith(("[  PASSED", "[  SKIPPED")))

    passes.__doc__ = f"All tests of {name} pass."
    return passes


CHECKS = (
    http_answers,
    https_answers,
    status_is_true,
    time_is_right,
    led_switches,
    line_switches,
    button_is_read,
    image_is_uploaded,
    image_is_uploaded_by_https,
    https_is_served_to_many,
    memory_is_small,
    hello_is_small,
    time_goes_on,
    init_restarts,
    network_is_pulled,
    watchdog_resets,
    disk_is_whole,
)
