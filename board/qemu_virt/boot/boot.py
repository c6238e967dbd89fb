"""board/qemu_virt/boot/run without its packages: see run --help."""
import argparse
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import checks
from machine import MACHINES, Guest, GuestFailure

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "boot"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, and its files go
    options = parse()
    names = options.machine or (["virt64", "virt32"] if options.test else ["virt64"])
    if not options.test and len(names) > 1:
        fail("--machine: only the test takes several", status=2)
    if options.programs and len(names) > 1:
        fail("--programs: name the --machine they are for", status=2)
    if options.test_program and (not options.test or len(names) > 1):
        fail("--test-program: name the --machine it is for, and --test", status=2)
    needed = [("--test-program", path) for path in options.test_program]
    if options.programs:
        needed += [("--programs", options.programs / name) for name in ("pollux-device", "pollux-hello")]
    for option, path in needed:
        if not path.is_file():
            fail(f"{option}: {path}: there is no such file", status=2)
    try:
        if options.test:
            return test(names, options)
        serve(names[0], options)
    except (GuestFailure, LookupError, OSError, subprocess.SubprocessError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        print()
        return 130 if options.test else 0
    return 0


def parse():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            fail(f"{message.removeprefix('argument ')}; try --help", status=2)

    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--machine", action="append", choices=MACHINES)
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--http-port", type=int)
    parser.add_argument("--https-port", type=int)
    parser.add_argument("--test-program", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--programs", type=pathlib.Path)
    return parser.parse_args()


def fail(message, status=1):
    print(f"board/qemu_virt/boot/run: {message}", file=sys.stderr)
    sys.exit(status)


def prepare(machine, options):
    """The folders of the kernel and of the programs; both are made if they are not there."""
    kernel = BUILD / f"kernel-{machine.arch}"
    command = ["toolchains/unpack", "--suite", machine.suite, "--arch", machine.arch, "--output", str(kernel)]
    quietly([*command, machine.kernel, "busybox-static"])
    if options.programs:
        return kernel, options.programs
    print(f"Building the programs (preset {machine.preset}) ...", flush=True)
    quietly(["toolchains/setup", machine.preset])
    configure = ["cmake", "--preset", machine.preset]
    if not (ROOT / "build" / machine.preset / "CMakeCache.txt").exists():
        configure.append("-DPOLLUX_TESTS=OFF")
    quietly(configure)
    quietly(["cmake", "--build", "--preset", machine.preset, "--target", "pollux-device", "pollux-hello"])
    return kernel, ROOT / "build" / machine.preset / "bin"


def quietly(command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise GuestFailure(f"{' '.join(command)}: failed\n{done.stdout}")


def serve(name, options):
    machine = MACHINES[name]
    kernel, programs = prepare(machine, options)
    http = options.http_port or free_port(8080)
    https = options.https_port or free_port(8443)
    log = log_path(name)
    print(f"Booting {name} with {machine.memory} MB of memory; what it says is in {log.relative_to(ROOT)}", flush=True)
    started = time.monotonic()
    with Guest(machine, name, kernel, programs, ports={80: http, 443: https}, log=log) as guest:
        guest.wait_for_agent()
        wait_until_served(guest, http)
        print(f"It serves after {time.monotonic() - started:.1f} s. Open http://127.0.0.1:{http}/ in a browser, or")
        print(f"https://127.0.0.1:{https}/ with a certificate of its own, made a moment ago:")
        print(guest.run("until dmesg | grep -m 1 -o 'SHA-256 fingerprint.*'; do usleep 100000; done").strip())
        print("Ctrl-C ends it." if not options.shell else "Lines run in the guest; Ctrl-D ends it.", flush=True)
        if options.shell:
            shell(guest)
        else:
            guest.wait()


def shell(guest):
    for line in sys.stdin:
        if line.strip():
            print(guest.run_any(line.strip(), deadline=600)[1], end="", flush=True)


def wait_until_served(guest, port):
    end = time.monotonic() + guest.machine.boot_deadline
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise GuestFailure(f"nothing is served; the guest's last words:\n{guest.last_words()}") from None
            time.sleep(0.05)


def free_port(port):
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                port += 1


def test(names, options):
    passed = failed = 0
    for name in names:
        try:
            kernel, programs = prepare(MACHINES[name], options)
        except (GuestFailure, OSError) as error:
            print(f"{name}: {error}", flush=True)
            failed += 1
            continue
        counts = checks.run(MACHINES[name], name, kernel, programs, log_path(name), options.test_program)
        passed += counts[0]
        failed += counts[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def log_path(name):
    BUILD.mkdir(parents=True, exist_ok=True)
    return BUILD / f"{name}.log"


if __name__ == "__main__":
    sys.exit(main())
