"""Another wall clock and other names for the program: see tests/third-party/outside.c."""

import pathlib
import struct
import subprocess

from .router import ROOT, sanitizer

HOUR = 3600
DAY = 24 * HOUR


class Outside:
    def __init__(self, directory):
        self.clock = pathlib.Path(directory) / "outside.clock"
        self.hosts = pathlib.Path(directory) / "outside.names"
        self.library = pathlib.Path(directory) / "outside.so"
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-fPIC", "-shared",
                        str(ROOT / "tests/third-party/outside.c"), "-o", str(self.library)],
                       check=True)
        self.clock.write_bytes(struct.pack("q", 0))
        self.ahead = 0
        self.names({})

    def environment(self):
        """What the program is started with; a sanitizer wants to hear that it is not the first."""
        return {"LD_PRELOAD": str(self.library), "OUTSIDE_CLOCK": str(self.clock),
                "OUTSIDE_NAMES": str(self.hosts), **sanitizer("verify_asan_link_order=0")}

    def set_ahead(self, seconds):
        """The wall clock jumps: from now on it is so far from the real one."""
        self.ahead = seconds
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", int(seconds * 1000)))

    def names(self, hosts):
        """{host: how}, as in outside.c."""
        new = self.hosts.with_suffix(".new")
        new.write_text("".join(f"{host} {how}\n" for host, how in hosts.items()))
        new.replace(self.hosts)  # never half a file
