"""How much of a program of the guest is in memory, and how much of that are not its pools and the arena of TLS.

Taken page by page from /proc/PID/pagemap; the pools are the objects whose addresses readelf(1) shows.
"""
import base64
import dataclasses
import re
import struct
import subprocess

PAGE = 4096
POOLS = re.compile(r"\b(?:\w*12_GLOBAL__N_1L?\d+)(storage|loop_storage|https_storage)E$")


@dataclasses.dataclass
class Resident:
    total: int  # bytes
    pools: int  # of those, in pages that are pools only
    besides: int
    parts: dict  # of what is besides: kind of mapping -> bytes

    def short(self):
        parts = ", ".join(f"{name} {size // 1024}" for name, size in sorted(self.parts.items()) if size >= 1024)
        return f"{self.total // 1024:,} KiB resident, {self.besides // 1024:,} besides the pools and the arena ({parts})"


def measure(guest, pid, program):
    """`program`: the file on the host that the process runs; it must have its symbols."""
    pools, is_fixed = _pools(program)
    mappings = []
    for line in guest.run(f"cat /proc/{pid}/maps").splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if match and not match.group(4).startswith(("[v", "[sigpage")):  # the kernel's own, which all programs share
            mappings.append((int(match.group(1), 16), int(match.group(2), 16), match.group(3), match.group(4)))
    bias = 0 if is_fixed else mappings[0][0]
    frames = {address: frame for start, end, *_ in mappings for address, frame in _frames(guest, pid, start, end)}
    # What was read but never written is one page of zeros, which the kernel does not count.
    shared = {frame for frame in frames.values() if list(frames.values()).count(frame) > 1}
    pool_size = 0
    parts = {}
    for start, end, access, name in mappings:
        for address in range(start, end, PAGE):
            if address not in frames or frames[address] in shared:
                continue
            if any(begin + bias <= address and address + PAGE <= stop + bias for begin, stop in pools):
                pool_size += PAGE
                continue
            kind = name.strip("[]") if name.startswith("[") else "text" if "x" in access else "data" if "w" in access else "constants"
            parts[kind] = parts.get(kind, 0) + PAGE
    besides = sum(parts.values())
    return Resident(besides + pool_size, pool_size, besides, parts)


def _frames(guest, pid, start, end):
    """(address, frame) of each page that is there."""
    text = guest.run(f"dd if=/proc/{pid}/pagemap bs=8 skip={start // PAGE} count={(end - start) // PAGE} 2>/dev/null | base64")
    data = base64.b64decode(text)
    for index, (entry,) in enumerate(struct.iter_unpack("<Q", data)):
        if entry >> 63:
            yield start + index * PAGE, entry & ((1 << 55) - 1)


def _pools(program):
    text = subprocess.run(["readelf", "-hsW", str(program)], check=True, capture_output=True, text=True).stdout
    pools = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[3] == "OBJECT" and POOLS.search(fields[7]):
            begin = int(fields[1], 16)
            pools.append((begin, begin + int(fields[2], 0)))
    if not pools:
        raise LookupError(f"{program} has no symbols of its pools")
    return pools, bool(re.search(r"Type:\s+EXEC", text))
