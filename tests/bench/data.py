"""Events to match, the same on every machine: all that is random comes from a seed.

A file is made once, in a folder whose name changes when a module of this package does.
"""

import hashlib
import json
import pathlib
import random
import subprocess
import sys

SYLLABLES = ("Al Ber Cor Dan El Far Gor Hol In Jor Kel Lin Mor Nor Os Pel Quin Ros Sal Tor "
             "Ul Ver Wes Yor Zan").split()


def street(rng):
    return "".join(rng.choice(SYLLABLES) for _ in range(4))


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def lot(rng):
    """About 900 bytes: some fields, and a polygon that no rule is about."""
    x, y = rng.uniform(-122.5, -122.3), rng.uniform(37.7, 37.8)
    points = [{"x": x + rng.uniform(-4e-4, 4e-4), "y": y + rng.uniform(-4e-4, 4e-4), "z": 0}
              for _ in range(rng.randint(5, 13))]
    return {
        "type": "Feature",
        "properties": {
            "lot": f"{rng.randrange(10**7):07}",
            "street": street(rng),
            "kind": rng.choice(["ST", "AVE", "WAY", None]),
            "number": rng.randrange(10**6),
            "address": ".".join(str(rng.randrange(256)) for _ in range(4)),
            "flags": {f"f{rng.randrange(10**5):05}": True for _ in range(3)},
            "side": rng.choice("EO"),
        },
        "geometry": {"type": "Polygon", "points": points, "first": points[0]},
    }


def lots(count):
    rng = random.Random(1)
    return (json.dumps(lot(rng)) for _ in range(count))


def flat(count, fields, size):
    """`fields` members f0, f1, .. of text, together about `size` bytes."""
    rng = random.Random(fields * 1000003 + size)
    filler = "".join(rng.choice("abcdefgh ") for _ in range(2 * size))
    each = max(1, size // fields - 12)
    for _ in range(count):
        event = {f"f{i}": f"{rng.randrange(10**4):04}" for i in range(fields)}
        for i in range(1, fields - 1):
            start = rng.randrange(size)
            event[f"f{i}"] += filler[start:start + max(0, each - 4)]
        yield compact(event)


def nested(count, size):
    """A field, then about `size` bytes of objects and arrays nobody asks for, then a field."""
    rng = random.Random(size)
    for _ in range(count):
        entries, length = [], 0
        while length < size - 60:
            entry = {"name": street(rng), "values": [rng.randrange(10**6) for _ in range(8)],
                     "inner": {"note": street(rng) * 2, "ok": True}}
            length += len(compact(entry)) + 1
            entries.append(entry)
        yield compact({"first": f"{rng.randrange(100):02}", "entries": entries,
                       "last": f"{rng.randrange(100):02}"})


def scoped(count, elements):
    """An array of objects with an id and a state."""
    rng = random.Random(elements)
    for _ in range(count):
        yield compact({"items": [{"id": i, "state": "off", "tags": [street(rng)]}
                                 for i in range(elements)]})


class Store:
    """Files of lines in one folder, made when first asked for."""

    def __init__(self, folder):
        mine = hashlib.sha256()
        for module in sorted(pathlib.Path(__file__).parent.glob("*.py")):
            mine.update(module.read_bytes())
        self.folder = pathlib.Path(folder) / mine.hexdigest()[:12]
        self.folder.mkdir(parents=True, exist_ok=True)

    def made(self, name, make):
        """The path of NAME; make(path) writes it if it is not there yet."""
        return self.made_in(self.folder, name, make)

    @staticmethod
    def made_in(folder, name, make):
        path = folder / name
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            make(unfinished)
            unfinished.rename(path)
        return path

    def lines(self, name, lines):
        def write(path):
            with open(path, "w", encoding="utf-8") as out:
                out.writelines(line + "\n" for line in lines)
        return self.made(name, write)

    def citylots(self, generator):
        """Not ours, so that it stays when our modules change."""
        return self.made_in(self.folder.parent, "citylots2-like.jsonl", lambda path: subprocess.run(
            [sys.executable, generator, path], check=True))
