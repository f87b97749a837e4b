"""See discover.sh. Ours is the whole way: a client asks the control plane, which pages through the cloud."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from lib import Sandbox, in_turn, report, timed

binary, runs = sys.argv[1], int(sys.argv[2])
COUNT = 10_000
BOTO = """
import boto3
pages = boto3.client("ec2").get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 1000})
print(sum(len(r["Instances"]) for page in pages for r in page["Reservations"]))
"""


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) / 1024


def rss_mib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        fields = dict(line.split(":", 1) for line in rollup if ":" in line)
    return int(fields["Pss"].split()[0]) / 1024


with tempfile.TemporaryDirectory() as folder, Sandbox(binary, "--empty-instances", str(COUNT)) as sandbox:
    port = free_port()
    config = os.path.join(folder, "multicloud.yaml")
    with open(config, "w") as file:
        file.write(f"""
server:
  listen: 127.0.0.1:{port}
data_dir: {folder}/data
aws:
  enabled: true
  region: us-east-1
  access_key_id: ${{AWS_ACCESS_KEY_ID}}
  secret_access_key: ${{AWS_SECRET_ACCESS_KEY}}
  endpoint: {sandbox.endpoint}
""")
    started = time.monotonic()
    server = subprocess.Popen([binary, "serve", "--config", config], env=sandbox.environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/api/v1/multicloud/providers"
        while True:
            try:
                urllib.request.urlopen(url).read()
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() - started > 30:
                    raise SystemExit("the server did not start")
                time.sleep(0.005)
        ready = time.monotonic() - started
        print(f"serve is ready after {ready * 1000:.0f} ms (goal: 300 ms)")
        time.sleep(2)  # memory at rest, not at work
        children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout.split()
        idle = sum(rss_mib(pid) for pid in [server.pid, *children])
        print(f"idle memory of serve and its mover: {idle:.0f} MiB (goal: 60 MiB)")

        def ours():
            command = [binary, "--server", f"http://127.0.0.1:{port}", "-o", "json", "provider", "discover", "aws"]
            seconds, out = timed(command)
            found = json.loads(out)
            found = found["items"] if isinstance(found, dict) else found
            assert len(found) == COUNT, f"found {len(found)} of {COUNT}"
            return seconds

        def theirs():
            seconds, out = timed([sys.executable, "-c", BOTO], env=sandbox.environment)
            assert int(out) == COUNT, out
            return seconds

        figures = in_turn(runs, ours, theirs)
        report(f"discover {COUNT} instances", "boto3", *figures, goal=1 / 3)
        print(f"peak memory of serve: {memory_mib(server.pid):.0f} MiB (goal: 150 MiB)")
    finally:
        server.terminate()
        server.wait(timeout=30)
