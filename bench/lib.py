"""What the benchmarks share: a sandbox to run against, and ratios of runs that took turns."""

import json
import os
import re
import statistics
import subprocess
import time
import urllib.request


class Sandbox:
    """`novacron sandbox serve` on a free port, stopped by its process id."""

    def __init__(self, binary, *arguments):
        self.process = subprocess.Popen(
            [binary, "sandbox", "serve", "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, found = "", {}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(found) < 3:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the sandbox did not start:\n" + said)
            said += line
            for key, pattern in (("endpoint", r"(http://127\.0\.0\.1:\d+)"), ("key", r"AWS_ACCESS_KEY_ID=(\S+)"),
                                 ("secret", r"AWS_SECRET_ACCESS_KEY=(\S+)")):
                match = re.search(pattern, line)
                if match:
                    found.setdefault(key, match.group(1))
        self.endpoint = found["endpoint"]
        self.environment = dict(
            os.environ, AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID=found["key"],
            AWS_SECRET_ACCESS_KEY=found["secret"], AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1",
            AWS_EC2_METADATA_DISABLED="true")

    def state(self):
        with urllib.request.urlopen(self.endpoint + "/_sandbox/state") as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)


def timed(command, **options):
    """Seconds that a command took, its output, and its peak memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    out, error = process.communicate()
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{out}{error}")
    return seconds, out.strip()


def in_turn(runs, ours, theirs):
    """Runs both in turn, and returns the medians and the median of the ratios ours / theirs of each pair."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def report(what, peer, ours, theirs, ratio, goal):
    verdict = "meets" if ratio <= goal else "MISSES"
    print(f"{what}: ours {ours:.2f} s, {peer} {theirs:.2f} s; ours/{peer} = {ratio:.2f} ({verdict} the goal of {goal:.2f})")
