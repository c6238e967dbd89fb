"""An initramfs made without root, cpio(1) or kmod: files, links and kernel modules in the order in which they load.

The format is newc of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. What a module needs is read from its own
.modinfo section.
"""
import gzip
import lzma
import pathlib
import re


class Initramfs:
    def __init__(self):
        self._out = bytearray()
        self._inode = 0
        self._folders = set()
        for folder in ("dev", "proc", "sys", "tmp", "run"):
            self._folder(folder)
        self._entry("dev/console", 0o20600, device=(5, 1))
        self._entry("dev/null", 0o20666, device=(1, 3))

    def file(self, path, content, mode=0o644):
        self._folder(str(pathlib.PurePosixPath(path).parent))
        self._entry(path, 0o100000 | mode, content)

    def link(self, path, target):
        self._folder(str(pathlib.PurePosixPath(path).parent))
        self._entry(path, 0o120777, target.encode())

    def modules(self, kernel, names):
        """Puts these modules and what they need into /modules, numbered: loading them in the order of their names works."""
        for number, (name, content) in enumerate(_in_load_order(kernel, names)):
            self.file(f"modules/{number:02d}-{name}.ko", content)

    def data(self):
        self._entry("TRAILER!!!", 0)
        return gzip.compress(bytes(self._out), 1, mtime=0)

    def _folder(self, path):
        if path in (".", "") or path in self._folders:
            return
        self._folder(str(pathlib.PurePosixPath(path).parent))
        self._folders.add(path)
        self._entry(path, 0o40755)

    def _entry(self, path, mode, content=b"", device=(0, 0)):
        self._inode += 1
        name = path.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        self._out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._out += bytes(-len(self._out) % 4)
        self._out += content
        self._out += bytes(-len(self._out) % 4)


def _in_load_order(kernel, names):
    files = {_module_name(path.name): path for path in kernel.glob("**/kernel/**/*.ko*")}
    builtin = set()
    for listing in kernel.glob("**/modules.builtin"):
        builtin |= {_module_name(line.rpartition("/")[2]) for line in listing.read_text().split()}
    order = {}

    def need(name):
        if name in order or name in builtin:
            return
        if name not in files:
            raise LookupError(f"{kernel}: there is no kernel module {name}")
        content = files[name].read_bytes()
        if files[name].suffix == ".xz":
            content = lzma.decompress(content)
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for other in depends.group(1).decode().split(",") if depends and depends.group(1) else ():
            need(_module_name(other))
        order[name] = content

    for name in names:
        need(name)
    return order.items()


def _module_name(file):
    return file.split(".ko")[0].replace("-", "_")
