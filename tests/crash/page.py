"""What fault.c and the test share: which call is to fail, and how many there were."""

import mmap
import struct

KINDS = ("memory", "thread", "open", "read", "write", "sync", "socket", "receive", "send")
FORM = struct.Struct(f"<QIiII{len(KINDS)}Q32s")  # struct fault
HALF = -1


class Page:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(FORM.size))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), FORM.size)

    def set(self, kind, number, error, armed):
        """Nothing counted yet; the call `number` of `kind` is to fail."""
        values = [number, KINDS.index(kind), error, armed, 0] + [0] * len(KINDS) + [b""]
        self.memory[:] = FORM.pack(*values)

    def arm(self):
        struct.pack_into("<I", self.memory, 16, 1)

    def failed(self):
        """The name of the function that failed; None if it did not come to that."""
        values = FORM.unpack(self.memory)
        return values[-1].rstrip(b"\0").decode() if values[4] else None

    def counted(self):
        return dict(zip(KINDS, FORM.unpack(self.memory)[5:-1]))


def environment(library, page, trace=None):
    """In which a program meets the fault."""
    given = {"LD_PRELOAD": str(library), "POINTSMAN_FAULT": str(page.path)}
    return {**given, "POINTSMAN_FAULT_TRACE": str(trace)} if trace else given
