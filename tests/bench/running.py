"""tests/bench/run: the tables of docs/performance.md about the daemon."""

import argparse
import os
import pathlib
import re
import time

from flow.router import ROOT, Router
from flow.site import QUICK, REST, furnish

from . import others, tools
from .measuring import (a_folder, delivered, delivery_rate, flood, medians, reset, route, running,
                        steady)
from .report import Bar, Table, machine, short
from .systems import BATCHED_OUT, Pointsman, PointsmanBatches, by_route, knows_batches, rule

JOB = ("system and setting", "in", "accepted/s", "delivered/s", "CPU-s per 1M",
       "MB idle / peak", "p50 / p99 ms at 2,000/s", "start ms")


def at_least(figure, what, wanted):
    return Bar(f"{what} ≥ {short(wanted)}/s", lambda r: r[figure], at_least=wanted)


def at_most(figure, text, wanted):
    return Bar(f"{text} ≤ {wanted:g}", lambda r: r[figure], at_most=wanted)


ONE_EACH = (at_least("accepted", "accepted", 25e3), at_least("delivered", "delivered", 25e3),
            at_most("cpu", "CPU-s", 40), at_most("p50", "p50", 1), at_most("p99", "p99", 8),
            at_most("start", "start ms", 50))
MANY = (at_least("accepted", "accepted", 100e3), at_least("delivered", "delivered", 100e3),
        at_most("cpu", "CPU-s", 9))


class Bench:
    def __init__(self, options):
        self.options = options
        self.quick = options.quick
        self.runs = options.runs or (1 if self.quick else 3)
        self.seconds = options.seconds or (2 if self.quick else 10)
        self.data = options.data
        self.missed = []
        self.notes = []  # for below the table

    def table(self, title, *columns):
        return Table(title, columns, self.missed)

    def running(self, make, sinks=2):
        return running(make, self.data / "state", sinks)

    def pointsman(self, kind=Pointsman, **how):
        return lambda folder: kind(folder, concurrency=self.options.concurrency, **how)

    def flooded(self, make, sinks=2, **options):
        """Once, from its start on."""
        with self.running(make, sinks) as (system, servers, start):
            idle = system.megabytes("VmRSS")
            return {"start": start, "idle": idle,
                    **flood(system, servers, seconds=self.seconds, routes=sinks,
                            connections=self.options.connections, **options)}

    def calm(self, make):
        with self.running(make) as (system, servers, _):
            return steady(system, servers, 2000, self.seconds, self.options.connections)

    def told_missing(self, name, count):
        if count:
            self.missed.append(f"{name}: {count:.0f} events never arrived")

    # The sections.

    def job(self):
        """1 KB in over HTTP, on the disk, routed on one field to one of two HTTP sinks."""
        table = self.table("The job", *JOB)
        for kind, bars in ((Pointsman, ONE_EACH), (PointsmanBatches, MANY)):
            self.job_row(table, kind, self.pointsman(kind), bars)
        if not knows_batches():
            self.notes.append(f"The sink `http` does not know `{BATCHED_OUT}` in this build: "
                              "each event left in a request of its own.")
        if self.options.alone or self.quick:
            return
        for kind in others.ALL:
            why = others.fetch(kind.package, self.data.parent / "others")
            if why:
                self.notes.append(f"{kind.name} was left out, its packages cannot be had: {why}")
                continue
            self.job_row(table, kind, lambda folder, kind=kind: kind(
                folder, self.data.parent / "others"))

    def job_row(self, table, kind, make, bars=()):
        result = medians([{**self.flooded(make), **self.calm(make)} for _ in range(self.runs)])
        self.told_missing(kind.name, result["missing"] + result["missing_steady"])
        table.row(kind.name, [
            kind.way_in, short(result["accepted"]), short(result["delivered"]),
            f"{result['cpu']:.1f}", f"{result['idle']:.1f} / {result['peak']:.1f}",
            f"{result['p50']:.2f} / {result['p99']:.1f}", f"{result['start']:.0f}"], result, bars)

    def disk(self):
        """What the journal makes of what the disk can do."""
        table = self.table("Durable, 100 events in each commit", "what", "commits/s", "events/s",
                           "of the disk's limit")
        results = []
        for _ in range(self.runs):
            with a_folder(self.data / "state") as folder:
                seconds = min(self.seconds, 5)
                small = tools.disk(folder, 4096, seconds)["syncs_per_second"]
                large = tools.disk(folder, 100_000, seconds)["syncs_per_second"]
                own = tools.durable(folder, 100, seconds)
                results.append({"small": small, "large": large, "own": own["per_second"],
                                "commits": own["commits_per_second"],
                                "share": own["per_second"] / (100 * small)})
        result = medians(results)
        table.row("append 4 KB and fdatasync()", [short(result["small"]),
                                                  short(100 * result["small"]), "1"])
        table.row("append 100 KB, 100 events, and fdatasync()", [
            short(result["large"]), short(100 * result["large"]),
            f"{result['large'] / result['small']:.2f}"])
        table.row("the journal: 100 accepted and 100 noted as delivered", [
            short(result["commits"]), short(result["own"]), f"{result['share']:.2f}"], result,
            [Bar("≥ 0.33 of the limit", lambda r: r["share"], at_least=0.33)])

    def memory(self):
        """All plugins loaded, over the configuration in conf.d/ and a stand-in cloud."""
        table = self.table("All plugins loaded, idle", "configuration", "MB", "of them its own",
                           "start ms")
        results = [self.idle() for _ in range(self.runs)]
        result = medians(results)
        table.row("conf.d/ and the other plugins", [
            f"{result['all']:.1f}", f"{result['own']:.1f}", f"{result['start']:.0f}"], result,
            [at_most("all", "MB", 12), at_most("start", "start ms", 50)])

    def idle(self):
        router = Router(paths=[ROOT / "conf.d"], environment=QUICK, files={"rest.ini": REST})
        router.paths = [*router.paths, router.directory / "rest.ini"]
        try:
            furnish(router.cloud)
            begin = time.monotonic()
            router.start(most=0.001)
            start = (time.monotonic() - begin) * 1000
            time.sleep(3)  # what there is to do at the beginning
            status = pathlib.Path(f"/proc/{router.process.pid}/status").read_text()
            sizes = dict(re.findall(r"(VmRSS|RssAnon):\s+(\d+) kB", status))
            return {"all": int(sizes["VmRSS"]) / 1024, "own": int(sizes["RssAnon"]) / 1024,
                    "start": start}
        finally:
            router.discard()

    def backlog(self):
        """Accepted while no sink answers; then a kill, a start, and all of it delivered."""
        count = self.options.backlog or (20_000 if self.quick else 1_000_000)
        steps = 10
        table = self.table(f"{count:,} events that wait", "state", "events/s", "MB", "ready in ms")
        with self.running(self.pointsman(PointsmanBatches, settings={
                "max-journal": "1000G"})) as (system, servers, start):
            for server in servers:
                server.set(status=503)
            rates = [self.step(system, count // steps, n) for n in range(steps)]
            share = {"share": rates[-1] / rates[0], "peak": system.megabytes("VmHWM")}
            table.row("the first tenth comes in", [short(rates[0]), "", f"{start:.0f}"])
            table.row("the last tenth", [short(rates[-1]), f"{system.megabytes('VmRSS'):.1f}", ""],
                      share, [Bar("≥ 0.8 of the first", lambda r: r["share"], at_least=0.8),
                              at_most("peak", "MB at its most", 64)])
            system.kill()
            ready = {"ready": system.start()}
            table.row("killed and started again", [
                "", f"{system.megabytes('VmRSS'):.1f}", f"{ready['ready']:.0f}"], ready,
                [at_most("ready", "ready in ms", 1000)])
            self.drain(table, system, servers, count // steps * steps)

    def step(self, system, count, n):
        sent = tools.load(system.address, prefix="wait", start=n * count, count=count,
                          events=system.events, connections=8)
        if sent["acknowledged"] != count:
            raise SystemExit(f"{count} events were to wait, and this came of it: {sent}")
        return sent["rate"]

    def drain(self, table, system, servers, count):
        """All of it, or as much as is done in ten times the seconds of a run."""
        for server in servers:
            server.set(status=200, reset=1)
        end = time.monotonic() + 10 * self.seconds
        while delivered(servers) < count and time.monotonic() < end:
            time.sleep(0.2)
        done = delivered(servers)
        result = {"peak": system.megabytes("VmHWM")}
        table.row(f"{done:,} of them delivered", [
            short(delivery_rate(servers)), f"{system.megabytes('VmRSS'):.1f}", ""], result,
            [at_most("peak", "MB at its most", 64)])

    def rules(self):
        """Two rules have the events, the others ask for the same field and get none."""
        table = self.table("Number of rules", "of them", "accepted/s", "CPU-s per 1M", "MB idle",
                           "start ms")
        one = None
        for count in (1, 1000) if self.quick else (1, 10, 100, 1000, 10_000):
            make = self.pointsman(PointsmanBatches, rules=many_rules(count))
            result = medians([self.flooded(make) for _ in range(self.runs)])
            one = one or result
            self.told_missing(f"{count} rules", result["missing"])
            result["times"] = result["cpu"] / one["cpu"]
            name = f"{count:,} rules" if count > 1 else "1 rule"
            table.row(name, [short(result["accepted"]), f"{result['cpu']:.1f}",
                             f"{result['idle']:.1f}", f"{result['start']:.0f}"], result,
                      [at_most("times", "times the CPU of one rule", 1.25)] * (count > 1))

    def sinks(self):
        """As many rules, each with its share of the events."""
        table = self.table("Number of sinks", "sinks", "accepted/s", "delivered/s",
                           "CPU-s per 1M", "MB peak")
        for count in (1, 10) if self.quick else (1, 2, 10, 100):
            result = medians([self.flooded(self.pointsman(), count) for _ in range(self.runs)])
            self.told_missing(f"{count} sinks", result["missing"])
            table.row(f"{count}", [short(result["accepted"]), short(result["delivered"]),
                                   f"{result['cpu']:.1f}", f"{result['peak']:.1f}"])


def many_rules(count):
    """One rule takes all; of more, a has its half, and b the other."""
    if count == 1:
        return rule("a", 'data.route in ["a", "b"]', "a")
    return by_route(["a", "b"]) + [line for n in range(2, count)
                                   for line in rule(route(n), f'data.route == "{route(n)}"', "a")]


SECTIONS = ("job", "disk", "memory", "backlog", "rules", "sinks")


def number(text):
    unit = {"k": 1000, "M": 1_000_000}.get(text[-1:], 1)
    return int(float(text.rstrip("kM")) * unit)


def options():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--data", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="less than a minute; implies --alone")
    parser.add_argument("--only", default=",".join(SECTIONS), help=", ".join(SECTIONS))
    parser.add_argument("--alone", action="store_true", help="no other systems")
    parser.add_argument("--backlog", type=number, help="events that wait (1M): 10M")
    parser.add_argument("--runs", type=int, help="each figure is the median of so many (3)")
    parser.add_argument("--seconds", type=float, help="of load in each run (10)")
    parser.add_argument("--connections", type=int, default=64, help="of the load (64)")
    parser.add_argument("--concurrency", type=int, default=32, help="of each sink (32)")
    return parser.parse_args()


def main():
    chosen = options()
    bench = Bench(chosen)
    print(machine("shared by load, daemon and sinks")
          + f"; load average {os.getloadavg()[0]:.1f} before")
    for name in chosen.only.split(","):
        if name not in SECTIONS:
            raise SystemExit(f"no section {name}; there are {', '.join(SECTIONS)}")
        bench.notes.clear()
        getattr(bench, name)()
        for note in bench.notes:
            print(f"\n{note}")
    print("\nAll bars are met." if not bench.missed
          else "\nMissed:\n" + "\n".join(f"* {line}" for line in bench.missed))


if __name__ == "__main__":
    main()
