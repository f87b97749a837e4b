"""See ebs.sh."""

import os
import subprocess
import sys
import tempfile

from lib import Sandbox, in_turn, report, timed

binary, ours, coldsnap, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
SIZE = 1 << 30

with tempfile.TemporaryDirectory() as folder, Sandbox(binary) as sandbox:
    image = os.path.join(folder, "disk.raw")
    with open(image, "wb") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
    environment = dict(sandbox.environment, SIZE_BYTES=str(SIZE))
    made = []

    def upload(command):
        seconds, out = timed(command, env=environment)
        made.append(out.split()[-1])
        return seconds

    figures = in_turn(runs, lambda: upload([ours, "upload", image]),
                      lambda: upload([coldsnap, "upload", "--wait", "--no-progress", image]))
    report("upload 1 GiB", "coldsnap", *figures, goal=1.0)

    snapshot = made[0]
    target = os.path.join(folder, "out.raw")

    def download(command):
        if os.path.exists(target):
            os.remove(target)
        seconds, _ = timed(command, env=environment)
        subprocess.run(["cmp", image, target], check=True)
        return seconds

    figures = in_turn(runs, lambda: download([ours, "download", snapshot, target]),
                      lambda: download([coldsnap, "download", "--no-progress", snapshot, target]))
    report("download 1 GiB", "coldsnap", *figures, goal=1.0)
