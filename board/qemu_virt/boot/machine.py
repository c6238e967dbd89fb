"""The machines, and a guest: one of them running below QEMU, with ways to it that do not go through pollux.

The serial line leads to guest/agent, a shell in the guest; QMP to QEMU itself, which can pull the network and look at the pins.
"""
import dataclasses
import json
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

from initramfs import Initramfs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MEBIBYTE = 1 << 20

# Of the board that QEMU calls virt, with board.dts beside it.
VIRT_MODULES = ("virtio_mmio", "virtio_net", "virtio_blk", "crc32c_generic", "ext4", "leds_gpio", "ledtrig_timer")
VIRT_DEVICES = ("-device", "virtio-net-device,netdev=net0", "-device", "virtio-blk-device,drive=disk0")
ARM64_KERNEL = "linux-image-[0-9]*[0-9]-arm64"

# A pin's level is in PL061's data register; address bits 2 to 9 are its mask.
VIRT_PINS = {
    "gpio": ("relay=9030000.pl061:1:out", "button=9030000.pl061:3:in"),
    "led": "pollux:green:status",
    "led_pin": (0x9030000 + (4 << 0), 0),
    "relay_pin": (0x9030000 + (4 << 1), 1),
    "has_button": True,
}


@dataclasses.dataclass(frozen=True)
class Machine:
    preset: str  # builds its programs
    triple: str  # of the shared libraries, for programs that are not static
    qemu: str
    arguments: tuple
    memory: int  # MiB
    suite: str  # the Debian release that the kernel and busybox are from
    arch: str  # and its name of the architecture
    kernel: str  # the package, as toolchains/unpack wants it
    modules: tuple
    serial: str  # the guest's name of the line the agent is on
    model: str  # what the guest's device tree calls the machine
    command_line: str = ""
    interface: str = "eth0"
    devices: tuple = ()  # QEMU arguments: the network, and what else there is
    dtb: str = ""  # of the kernel package; empty: board.dts
    is_serial_second: bool = False
    watchdog: str = ""  # DEVICE:SECONDS
    gpio: tuple = ()  # NAME=CHIP:LINE:DIRECTION
    boot_deadline: int = 60  # seconds; many times what it takes
    boot_attempts: int = 1  # some of QEMU's boards were seen to stop while they boot
    has_disk: bool = True
    led: str = ""  # the guest's name of it
    # Where the level of a pin can be read: physical address and bit, for QEMU's monitor.
    led_pin: tuple = ()
    relay_pin: tuple = ()
    has_button: bool = False
    has_carrier: bool = True  # the guest is told when its cable is pulled
    image: int = 72  # MiB that the test uploads
    hello_used_max: dict = dataclasses.field(default_factory=dict)  # scheme -> KiB besides pools and arena, of a static program


MACHINES = {
    "virt64": Machine(
        preset="aarch64-musl",
        triple="aarch64-linux-gnu",
        qemu="qemu-system-aarch64",
        arguments=("-M", "virt", "-cpu", "cortex-a53"),
        memory=64,
        suite="bookworm",
        arch="arm64",
        kernel=ARM64_KERNEL,
        modules=VIRT_MODULES + ("i6300esb",),
        serial="ttyAMA0",
        model="linux,dummy-virt",
        devices=VIRT_DEVICES + ("-device", "i6300esb", "-watchdog-action", "reset"),
        watchdog="/dev/watchdog0:4",
        **VIRT_PINS,
    ),
    "virt32": Machine(
        preset="armhf-musl",
        triple="arm-linux-gnueabihf",
        qemu="qemu-system-arm",
        # A kernel without LPAE does not reach what lies above 4 GiB.
        arguments=("-M", "virt,highmem=off", "-cpu", "cortex-a7"),
        memory=64,
        suite="bookworm",
        arch="armhf",
        kernel="linux-image-[0-9]*[0-9]-armmp",
        modules=VIRT_MODULES + ("softdog",),  # this kernel has no driver of QEMU's watchdog
        serial="ttyAMA0",
        model="linux,dummy-virt",
        devices=VIRT_DEVICES,
        watchdog="/dev/watchdog0:4",
        **VIRT_PINS,
        hello_used_max={"http": 200, "https": 300},
    ),
    # Boards that QEMU knows, with the device tree that the kernel brings for them. Their watchdog is left
    # alone: QEMU 7.2 resets the machine as soon as it is started.
    "raspi3b": Machine(
        preset="aarch64-musl",
        triple="aarch64-linux-gnu",
        qemu="qemu-system-aarch64",
        arguments=("-M", "raspi3b"),
        memory=1024,
        suite="bookworm",
        arch="arm64",
        kernel=ARM64_KERNEL,
        modules=("phy_generic", "dwc2", "usbnet", "cdc_ether", "bcm2835_thermal"),
        serial="ttyS1",
        is_serial_second=True,
        model="Raspberry Pi 3 Model B",
        interface="usb0",
        devices=("-device", "usb-net,netdev=net0"),
        dtb="broadcom/bcm2837-rpi-3-b.dtb",
        has_carrier=False,
        has_disk=False,
        boot_deadline=120,
        boot_attempts=2,
        gpio=("relay=pinctrl-bcm2835:17:out",),
        relay_pin=(0x3F200034, 17),  # GPLEV0
        image=2,
    ),
    "raspi0": Machine(
        preset="armv6",
        triple="arm-linux-gnueabi",
        qemu="qemu-system-arm",
        arguments=("-M", "raspi0"),
        memory=512,
        suite="bookworm",
        arch="armel",
        kernel="linux-image-[0-9]*[0-9]-rpi",
        modules=("usbnet", "cdc_ether", "leds_gpio", "ledtrig_timer"),
        serial="ttyAMA0",
        model="Raspberry Pi Zero",
        command_line="initcall_blacklist=bcm2835_power_driver_init",  # its registers are not there: an external abort
        interface="usb0",
        devices=("-device", "usb-net,netdev=net0"),
        dtb="bcm2835-rpi-zero.dtb",
        has_carrier=False,
        has_disk=False,
        boot_deadline=120,
        boot_attempts=2,
        gpio=("relay=pinctrl-bcm2835:17:out",),
        led="ACT",
        led_pin=(0x20200038, 47 - 32),  # GPLEV1
        relay_pin=(0x20200034, 17),
        image=2,
    ),
}


class GuestFailure(Exception):
    pass


class Guest:
    """One running machine. A context manager: what it started ends with it."""

    def __init__(self, machine, name, kernel, programs, ports=None, log=None, tests=()):
        """`ports`: guest's TCP port -> port of loopback, 0: any. `log`: where all goes that the serial line says. `tests`: programs
        that will be in /data/tests."""
        self.machine = machine
        self.name = name
        self.ports = dict(ports or {80: 0, 443: 0})
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="pollux-boot-"))
        self._log = pathlib.Path(log or self._folder / "console.log")
        self._kernel = kernel
        self._programs = programs
        self._tests = tests
        self._process = None
        self._marks = 0
        self._serial_text = b""
        self._events = []
        self._sockets = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    # --- the ways in ---

    def run(self, command, deadline=20):
        """Runs a line of shell in the guest. What it wrote; GuestFailure if its status is not 0."""
        status, text = self.run_any(command, deadline)
        if status != 0:
            raise GuestFailure(f"in the guest: {command}: status {status}: {text.strip()}")
        return text

    def run_any(self, command, deadline=20):
        self._marks += 1
        mark = f"mark-{self._marks}"
        self._serial.sendall(f"{mark} {command}\n".encode())
        match = self._read_serial(rb"(?s)\A(.*)\n%s (\d+)\n" % mark.encode(), deadline)
        return int(match.group(2)), match.group(1).decode(errors="replace")

    def qmp(self, command, **arguments):
        """A command of QEMU's own (qemu-qmp-ref(7))."""
        self._qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._read_qmp(10)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise GuestFailure(f"QEMU: {command}: {answer['error']['desc']}")

    def monitor(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line})

    def wait_for_event(self, name, deadline):
        """Waits until QEMU has told of this; events from before this call count."""
        end = time.monotonic() + deadline
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    return event
            self._read_qmp(end - time.monotonic())

    def pin(self, place):
        """The level of a pin as the hardware has it; `place` is one of the machine's, led_pin say."""
        address, bit = place
        return int(self.monitor(f"xp /1wx {address:#x}").split(":")[1], 16) >> bit & 1

    def wait(self):
        """Until the machine is switched off."""
        self._process.wait()

    def has_seen(self, name):
        """Whether QEMU has told of this, and nobody has waited for it."""
        self.qmp("query-status")  # what was told before its answer has been read then
        return any(event["event"] == name for event in self._events)

    def wait_for_agent(self):
        """Until the guest has booted."""
        for attempt in range(self.machine.boot_attempts):
            try:
                self._read_serial(rb"pollux agent ready\r?\n", self.machine.boot_deadline)
                return
            except GuestFailure:
                if attempt + 1 == self.machine.boot_attempts or not self.is_running():
                    raise
                self.started = time.monotonic()
                self.qmp("system_reset")

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def last_words(self, lines=40):
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    # --- how it is made ---

    def _start(self):
        machine = self.machine
        initrd = self._folder / "initrd"
        initrd.write_bytes(self._initramfs())
        self.command = ["setpriv", "--pdeathsig", "KILL", "--", machine.qemu, *machine.arguments]
        self.command += ["-m", str(machine.memory), "-nodefaults", "-display", "none", "-no-user-config"]
        self.command += ["-kernel", str(_only(self._kernel, "boot/vmlinuz-*")), "-initrd", str(initrd)]
        self.command += ["-dtb", str(self._device_tree())]
        self.command += ["-append", f"console={machine.serial} panic=-1 quiet {machine.command_line}".strip()]
        # The serial line: every board has its own idea of which of them a shell can have.
        serial_path = self._folder / "serial"
        self.command += ["-chardev", f"socket,id=serial,path={serial_path},server=on,wait=on,logfile={self._log}"]
        self.command += (["-serial", "null"] if machine.is_serial_second else []) + ["-serial", "chardev:serial"]
        qmp_path = self._folder / "qmp"
        self.command += ["-qmp", f"unix:{qmp_path},server=on,wait=on"]
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self.ports.items())
        self.command += ["-netdev", f"user,id=net0,restrict=on{forwards}", *machine.devices]
        if machine.has_disk:
            disk = self._folder / "disk"
            with open(disk, "wb") as file:
                file.truncate(512 * MEBIBYTE)  # sparse: it takes what is written to it
            content = self._folder / "data"
            (content / "tests").mkdir(parents=True)
            for test in self._tests:
                shutil.copy(test, content / "tests")
            subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", "-d", str(content), str(disk)], check=True)
            self.command += ["-drive", f"id=disk0,if=none,format=raw,cache=unsafe,file={disk}"]
        with open(self._folder / "qemu.log", "wb") as errors:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
            )
        self.started = time.monotonic()
        self._serial = self._connect(serial_path)
        self._qmp = self._connect(qmp_path)
        self._qmp_text = b""
        self._read_qmp(10)  # the greeting
        self.qmp("qmp_capabilities")
        if 0 in self.ports.values():
            for line in self.monitor("info usernet").splitlines():
                match = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)", line)
                if match:
                    self.ports[int(match.group(2))] = int(match.group(1))

    def _initramfs(self):
        machine = self.machine
        archive = Initramfs()
        archive.file("bin/busybox", _only(self._kernel, "bin/busybox").read_bytes(), 0o755)
        for path in ("sbin/init", "init", "bin/sh"):
            archive.link(path, "/bin/busybox")
        for applet in APPLETS:
            archive.link(f"bin/{applet}", "busybox")
        for program in ("pollux-device", "pollux-hello"):
            archive.file(f"bin/{program}", (self._programs / program).read_bytes(), 0o755)
        for path in _libraries([*self._tests, self._programs / "pollux-device"], machine.triple):
            archive.file(f"lib/{path.name}", path.read_bytes(), 0o755)
        for name in ("rcS", "serve", "agent"):
            archive.file(f"etc/{name}", (HERE / "guest" / name).read_bytes(), 0o755)
        inittab = [
            "::sysinit:/etc/rcS",
            # Not on the console, whose modes init would set anew whenever one of them starts, below the agent.
            "null::respawn:/etc/serve http",
            "null::respawn:/etc/serve https",
            f"{machine.serial}::respawn:/etc/agent",
        ]
        archive.file("etc/inittab", "".join(line + "\n" for line in inittab).encode())
        facts = {
            "HOSTNAME": f"pollux-{self.name}",
            "INTERFACE": machine.interface,
            "DISK": "/dev/vda" if machine.has_disk else "",
            "GPIO_OPTIONS": " ".join(f"--gpio {line}" for line in machine.gpio),
            "WATCHDOG_OPTIONS": f"--watchdog {machine.watchdog}" if machine.watchdog else "",
        }
        archive.file("etc/machine", "".join(f"{name}='{value}'\n" for name, value in facts.items()).encode())
        archive.modules(self._kernel, machine.modules)
        return archive.data()

    def _device_tree(self):
        machine = self.machine
        if machine.dtb:
            return _only(self._kernel, f"usr/lib/linux-image-*/{machine.dtb}")
        dumped = self._folder / "machine.dtb"
        # New each time: it has the seed of the guest's random numbers.
        subprocess.run(
            [machine.qemu, machine.arguments[0], f"{machine.arguments[1]},dumpdtb={dumped}", *machine.arguments[2:]]
            + ["-m", str(machine.memory), "-nodefaults", "-display", "none"],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        dtc = ["dtc", "-q", "-i", str(self._folder)]
        subprocess.run([*dtc, "-I", "dtb", "-O", "dts", "-o", self._folder / "machine.dts", dumped], check=True)
        subprocess.run([*dtc, "-I", "dts", "-O", "dtb", "-o", self._folder / "board.dtb", HERE / "board.dts"], check=True)
        return self._folder / "board.dtb"

    def _connect(self, path):
        end = time.monotonic() + 10
        connection = socket.socket(socket.AF_UNIX)
        self._sockets.append(connection)
        while True:
            try:
                connection.connect(str(path))
                return connection
            except OSError:
                if not self.is_running() or time.monotonic() > end:
                    raise GuestFailure(f"QEMU did not start: {self._qemu_words()}") from None
                time.sleep(0.01)

    def _qemu_words(self):
        path = self._folder / "qemu.log"
        return path.read_text(errors="replace").strip() if path.exists() else ""

    def _read(self, connection, deadline):
        if not select.select([connection], [], [], max(deadline, 0))[0]:
            return None
        data = connection.recv(65536)
        if not data:
            raise GuestFailure(f"the machine is gone: {self._qemu_words()}")
        return data

    def _read_serial(self, pattern, deadline):
        end = time.monotonic() + deadline
        while True:
            match = re.search(pattern, self._serial_text)
            if match:
                self._serial_text = self._serial_text[match.end() :]
                return match
            data = self._read(self._serial, end - time.monotonic())
            if data is None:
                raise GuestFailure(f"the guest said nothing for {deadline} s, but: {self._serial_text[-500:]!r}")
            self._serial_text += data

    def _read_qmp(self, deadline):
        end = time.monotonic() + deadline
        while b"\n" not in self._qmp_text:
            data = self._read(self._qmp, end - time.monotonic())
            if data is None:
                raise GuestFailure("QEMU did not tell in time what was waited for")
            self._qmp_text += data
        line, _, self._qmp_text = self._qmp_text.partition(b"\n")
        answer = json.loads(line)
        if "event" in answer:
            self._events.append(answer)
        return answer

    def _end(self):
        if self.is_running():
            self._process.kill()
            self._process.wait()
        for connection in self._sockets:
            connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)


# The commands of busybox that the guest's scripts and the checks use; there is no folder full of links.
APPLETS = (
    "awk base64 cat chmod cut date dd df dmesg echo env free grep head hostname hwclock ifconfig insmod ip kill killall"
    " ls lsmod mkdir mount mountpoint mv nc netstat od pidof ping poweroff ps reboot rm route sed sha256sum sleep sort stat stty sync"
    " tail top true umount uname uptime usleep wc wget"
).split()


def _only(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        raise GuestFailure(f"{folder}: there is no {pattern}")
    return found[-1]


def is_static(program):
    return not _needed(program)


def _needed(program):
    """The names of the shared libraries that a program, or a library, asks for, and of what loads them."""
    text = subprocess.run(["readelf", "-ldW", str(program)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text) + re.findall(r"program interpreter: /lib\w*/(.*)\]", text)


def _libraries(programs, triple):
    """The files of the shared libraries that these programs need; none if all are static."""
    folders = [pathlib.Path(f"/usr/{triple}/lib"), ROOT / "build" / "sysroot" / triple / "usr" / "lib" / triple]
    found = {}
    programs = list(programs)
    while programs:
        program = programs.pop()
        for name in _needed(program):
            if name not in found:
                path = next((folder / name for folder in folders if (folder / name).exists()), None)
                if path is None:
                    raise GuestFailure(f"{program} needs {name}, which is not in {' or '.join(map(str, folders))}")
                found[name] = path
                programs.append(path)
    return found.values()
