"""Child processes that never outlive the test, however it ends."""

import ctypes
import resource
import signal
import subprocess

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(command, limits=None, **how):
    def prepare():
        die_with_parent()
        for limit, value in (limits or {}).items():
            resource.setrlimit(limit, (value, value))
    return subprocess.Popen([str(word) for word in command], preexec_fn=prepare, **how)


def end(process, patience):
    """SIGTERM, and SIGKILL if that does not help; answers the exit code of the polite way."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def faked_time(how):
    """The environment in which a program sees another time; without the wrapper `faketime`,
    which would stand between us and its signals."""
    shown = subprocess.run(["faketime", "-m", "-f", how, "env"], check=True, text=True,
                           capture_output=True).stdout
    preload = next(line for line in shown.splitlines() if line.startswith("LD_PRELOAD="))
    return {"LD_PRELOAD": preload.partition("=")[2], "FAKETIME": how}
