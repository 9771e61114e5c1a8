"""What an idle router with all plugins costs: memory, and the time from start to readiness."""

import pathlib
import re
import statistics
import time
import unittest

from flow.flow import Flow
from flow.router import ROOT, SLOW
from flow.site import QUICK, REST, furnish

# Its own; pages of libraries, which others share, come on top and are only said.
MEGABYTES = 4


class Footprint(unittest.TestCase):
    def flow(self):
        flow = Flow(self, paths=[ROOT / "conf.d"], environment=QUICK, start=False,
                    files={"further.ini": REST})
        flow.paths = [*flow.paths, flow.directory / "further.ini"]
        furnish(flow.cloud)
        return flow

    def megabytes(self, flow, what):
        status = pathlib.Path(f"/proc/{flow.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) / 1024

    @unittest.skipIf(SLOW > 1, "a sanitizer's memory says nothing")
    def test_idle_with_all_plugins_it_is_small(self):
        with self.flow() as flow:
            flow.start()
            flow.expect_slack("released")
            flow.settled()
            own = self.megabytes(flow, "RssAnon")
            print(f"idle with all plugins: {self.megabytes(flow, 'VmRSS'):.1f} MB resident, "
                  f"{own:.1f} MB of them its own", flush=True)
            self.assertLessEqual(own, MEGABYTES)

    def test_start_to_ready_is_measured(self):
        """Says how long; how long it may take is for a quiet machine to judge."""
        with self.flow() as flow:
            times = []
            for _ in range(5):
                begin = time.monotonic()
                flow.start(most=0.001)
                times.append((time.monotonic() - begin) * 1000)
                flow.stop()
            print(f"start to ready: {statistics.median(times):.0f} ms, the median of five",
                  flush=True)


if __name__ == "__main__":
    unittest.main()
