"""What is done to a system, and what comes of it."""

import contextlib
import shutil
import statistics
import tempfile
import time

from . import tools

PATIENCE = 60  # without one more event delivered


@contextlib.contextmanager
def a_folder(beneath):
    """On the disk that is measured, and gone afterwards."""
    beneath.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(dir=beneath)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def some_sinks(count):
    """At most two processes; {name: URL}, named as the load names its routes."""
    servers = [tools.Sink() for _ in range(min(count, 2))]
    try:
        yield servers, {route(n): f"http://127.0.0.1:{servers[n % 2].port}/{route(n)}"
                        for n in range(count)}
    finally:
        for server in servers:
            server.end()


def route(n):
    """a, b, .. z, aa, ..: what the load calls its n-th route."""
    return (route(n // 26 - 1) if n >= 26 else "") + chr(ord("a") + n % 26)


@contextlib.contextmanager
def running(make, beneath, sinks=2):
    """(system, its sinks, milliseconds to readiness)"""
    with a_folder(beneath) as folder, some_sinks(sinks) as (servers, urls):
        system = make(folder)
        system.configure(urls)
        try:
            yield system, servers, system.start()
        finally:
            system.stop()


def delivered(servers):
    return sum(server.stats()["events"] for server in servers)


def wait_for(servers, wanted):
    """Until all have come; how many have not when nothing comes any more."""
    seen, since = delivered(servers), time.monotonic()
    while seen < wanted and time.monotonic() - since < PATIENCE:
        time.sleep(0.1)
        now = delivered(servers)
        if now > seen:
            seen, since = now, time.monotonic()
    return wanted - seen


def delivery_rate(servers):
    stats = [server.stats() for server in servers]
    first = min(s["first_us"] for s in stats if s["events"])
    last = max(s["last_us"] for s in stats)
    return sum(s["events"] for s in stats) * 1e6 / max(1, last - first)


def reset(servers):
    for server in servers:
        server.set(reset=1)


def flood(system, servers, prefix="flood", **options):
    """As fast as it takes them; all that was accepted must arrive."""
    reset(servers)
    cpu = system.cpu_seconds()
    sent = tools.load(system.address, prefix=prefix, events=system.events,
                      **{**system.form, **options})
    count = sent["acknowledged"]
    if not count:
        raise SystemExit(f"{system.name} accepted nothing: {sent}")
    missing = wait_for(servers, count)
    return {"accepted": sent["rate"], "delivered": delivery_rate(servers), "missing": missing,
            "cpu": (system.cpu_seconds() - cpu) * 1e6 / count, "peak": system.megabytes("VmHWM")}


def steady(system, servers, rate, seconds, connections):
    """Milliseconds from when an event was to be sent to its arrival at the sink."""
    reset(servers)
    sent = tools.load(system.address, prefix="steady", rate=rate, seconds=seconds,
                      connections=connections, **system.form)
    missing = wait_for(servers, sent["acknowledged"])
    stats = [server.stats() for server in servers]
    return {"p50": statistics.mean(s["p50_ms"] for s in stats),
            "p99": max(s["p99_ms"] for s in stats), "missing_steady": missing}


def medians(results):
    """Of each figure by itself."""
    return {key: statistics.median(result[key] for result in results) for key in results[0]}
