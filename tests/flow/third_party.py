"""Plugins of tests/third-party, built as their authors would, beside some of ours."""

import pathlib
import shutil
import subprocess

from .router import PLUGINS, ROOT


def build(folder, name, *flags, ours=("http-in", "http")):
    """A directory for the key `plugins`."""
    folder.mkdir(exist_ok=True)
    for plugin in ours:
        shutil.copy(pathlib.Path(PLUGINS) / f"{plugin}.so", folder)
    subprocess.run(["gcc", "-std=gnu11", "-fPIC", "-shared", f"-I{ROOT}/include", *flags,
                    str(ROOT / f"tests/third-party/{name}.c"), "-o", str(folder / f"{name}.so")],
                   check=True)
    return folder
