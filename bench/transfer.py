"""Raw images and network block devices: our `copy` beside nbdcopy, qemu-img and fio, in turn, on one disk."""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

GIB, MIB = 1 << 30, 1 << 20
COPY = os.environ["COPY_BIN"]
SIZE = int(float(os.environ.get("SIZE_GIB", "8")) * GIB)
RUNS = int(os.environ.get("RUNS", "3"))


def image(path, size, data, seed=1):
    """A sparse image with so many bytes of data, in runs of 64 KiB to 16 MiB."""
    rng = random.Random(seed)
    block = rng.randbytes(32 * MIB)
    with open(path, "wb") as file:
        file.truncate(size)
        left, at, share = data, 0, data / size
        while left > 0 and at < size:
            run = min(rng.randrange(1, 256) << 16, left, size - at)
            start = rng.randrange(0, 16 * MIB)
            file.seek(at)
            file.write(block[start:start + run])
            left -= run
            at += run
            if share < 1:
                at += int(run * (1 / share - 1) * rng.uniform(0.5, 1.4)) >> 16 << 16
        file.flush()
        os.fsync(file.fileno())
    return data - left


def drop_caches():
    subprocess.run(["sync"], check=True)
    try:
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
    except OSError:
        pass


def run(command, targets=()):
    """Seconds until what was written is on the disk, output, and peak memory in MiB."""
    drop_caches()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, error = process.communicate()
    for target in targets:
        with open(target, "rb+") as file:
            os.fsync(file.fileno())
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{out}{error}")
    return seconds, out


def ours(source, target, *options):
    seconds, out = run([COPY, *options, source, target], () if "+unix" in target else (target,))
    return seconds, json.loads(out.splitlines()[1])


def fresh(path):
    if os.path.exists(path):
        os.unlink(path)
    return path


def ratio(mine, theirs):
    return statistics.median(a / b for a, b in zip(mine, theirs))


def say(what, value, goal, fine, note=""):
    print(f"{what}: {value} (goal {goal}: {'met' if fine else 'MISSED'}){' ' + note if note else ''}", flush=True)


def peers(source, target):
    yield "nbdcopy", lambda: run(["nbdcopy", "--flush", source, target], (target,))[0]
    yield "qemu-img", lambda: run(["qemu-img", "convert", "-n", "-W", "-m", "16", "-t", "none", "-T", "none", "-f", "raw",
                                   "-O", "raw", source, target], (target,))[0]


def take_turns(source, target, mine):
    """Times of ours and of each peer, in turn."""
    times = {"ours": []}
    for _ in range(RUNS):
        fresh(target)
        times["ours"].append(mine())
        for name, peer in peers(source, target):
            with open(fresh(target), "wb") as file:
                file.truncate(os.path.getsize(source))
            times.setdefault(name, []).append(peer())
    return times


def show(times):
    return ", ".join(f"{name} {statistics.median(seconds):.2f} s" for name, seconds in times.items())


def fio(directory, size, *jobs):
    """MB/s by job, of jobs that run at once: (name, rw, file)."""
    command = ["fio", "--output-format=json", "--direct=1", "--ioengine=libaio", "--iodepth=8", "--bs=1M",
               f"--size={size // MIB * MIB}", "--fallocate=none"]
    for name, rw, path in jobs:
        command += [f"--name={name}", f"--rw={rw}", f"--filename={path}"] + (["--end_fsync=1"] if rw == "write" else [])
    drop_caches()
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=directory).stdout)
    return {job["jobname"]: job["read" if "read" in job["jobname"] else "write"]["bw_bytes"] / 1e6 for job in found["jobs"]}


def case_raw(directory):
    source, target = f"{directory}/a", f"{directory}/b"
    data = image(source, SIZE, SIZE // 3)
    times = take_turns(source, target, lambda: ours(source, target)[0])
    best = min((name for name in times if name != "ours"), key=lambda name: statistics.median(times[name]))
    value = ratio(times["ours"], times[best])
    say(f"raw to raw: time over {best}'s", f"{value:.2f}", "< 1.00", value < 1, show(times))
    subprocess.run(["cmp", source, target], check=True)
    full = f"{directory}/full"
    image(full, data, data)
    rates = [min(fio(directory, data, ("read", "read", full), ("write", "write", fresh(target))).values()) for _ in range(RUNS)]
    mine = data / 1e6 / statistics.median(times["ours"])
    value = mine / statistics.median(rates)
    say("raw to raw: rate over fio's, reading and writing at once", f"{value:.2f}", ">= 0.95", value >= 0.95,
        f"{mine:.0f} MB/s, fio {statistics.median(rates):.0f} MB/s")
    os.unlink(full)


def case_memory(directory):
    size = min(SIZE // 3, 4 * GIB)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        source, target = f"{memory}/a", f"{directory}/b"
        image(source, size, size)
        mine, theirs = [], []
        for _ in range(RUNS):
            fresh(target)
            mine.append(size / 1e6 / ours(source, target)[0])
            theirs.append(fio(directory, size, ("write", "write", fresh(target)))["write"])
    value = statistics.median(a / b for a, b in zip(mine, theirs))
    say("from memory: rate over fio's write", f"{value:.2f}", ">= 0.80", value >= 0.8,
        f"{statistics.median(mine):.0f} MB/s, fio {statistics.median(theirs):.0f} MB/s")


def case_stored(directory):
    source, target = f"{directory}/a", f"{directory}/b"
    image(source, SIZE, SIZE // 3)
    times = take_turns(source, target, lambda: ours(source, target, "--verify", "stored")[0])
    best = min((name for name in times if name != "ours"), key=lambda name: statistics.median(times[name]))
    compare = [run(["qemu-img", "compare", "-f", "raw", "-F", "raw", source, target])[0] for _ in range(RUNS)]
    value = ratio(times["ours"], [a + b for a, b in zip(times[best], compare)])
    say(f"with read-back: time over {best} and compare", f"{value:.2f}", "<= 0.60", value <= 0.6,
        f"{show(times)}, compare {statistics.median(compare):.2f} s")


def case_nbd(directory):
    source, target = f"{directory}/a", f"{directory}/b"
    image(source, SIZE, SIZE // 3)
    sockets = [f"{directory}/a.sock", f"{directory}/b.sock"]
    times = {"ours": [], "nbdcopy": []}
    for _ in range(RUNS):
        for name in times:
            with open(fresh(target), "wb") as file:
                file.truncate(SIZE)
            servers = [subprocess.Popen(["nbdkit", "-f", "-U", fresh(socket), "file", path])
                       for socket, path in zip(sockets, (source, target))]
            try:
                while not all(os.path.exists(socket) for socket in sockets):
                    time.sleep(0.05)
                uris = [f"nbd+unix:///?socket={socket}" for socket in sockets]
                if name == "ours":
                    times[name].append(ours(*uris)[0])
                else:
                    times[name].append(run(["nbdcopy", "--flush", "--destination-is-zero", *uris])[0])
            finally:
                for server in servers:
                    server.terminate()
                    server.wait(timeout=30)
    value = statistics.median(b / a for a, b in zip(times["ours"], times["nbdcopy"]))
    say("NBD to NBD: rate over nbdcopy's", f"{value:.2f}", ">= 0.85", value >= 0.85, show(times))


def case_sparse(directory):
    times, peak = {}, 0
    for name, size in (("64 GiB", 64 * GIB), ("1 GiB", GIB)):
        source, target = f"{directory}/{name.split()[0]}", f"{directory}/b"
        image(source, size, GIB)
        seconds = []
        for _ in range(RUNS):
            fresh(target)
            drop_caches()
            start = time.monotonic()
            pid = os.posix_spawn(COPY, [COPY, source, target], os.environ,
                                 file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
            _, status, usage = os.wait4(pid, 0)
            seconds.append(time.monotonic() - start)
            if status != 0:
                raise SystemExit("copy failed")
            peak = max(peak, usage.ru_maxrss / 1024) if name == "64 GiB" else peak
        times[name] = statistics.median(seconds)
        os.unlink(source)
    say("64 GiB sparse: peak memory", f"{peak:.0f} MiB", "<= 256 MiB", peak <= 256)
    value = times["64 GiB"] / times["1 GiB"]
    say("64 GiB sparse: time over that of 1 GiB", f"{value:.2f}", "<= 1.50", value <= 1.5,
        ", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items()))


def case_second(directory):
    source, target, ledger = f"{directory}/a", f"{directory}/b", f"{directory}/l"
    image(source, SIZE, SIZE // 3)
    fresh(ledger)
    first, one = ours(source, fresh(target), "--verify", "stored", "--ledger", ledger)
    chunks, rng = SIZE >> 16, random.Random(7)
    changed = rng.sample(range(chunks), chunks // 300)
    with open(source, "rb+") as file:
        for chunk in changed:
            file.seek(chunk << 16)
            file.write(rng.randbytes(65536))
        os.fsync(file.fileno())
    extents = f"{directory}/changed"
    with open(extents, "w") as file:
        file.writelines(f"{chunk << 16} 65536\n" for chunk in sorted(changed))
    shutil.copy(ledger, ledger + ".1")
    keep = ("--verify", "stored", "--keep", "--ledger")
    second, two = ours(source, target, *keep, ledger, "--snapshot", "2", "--base", "1", "--changed", extents)
    moved = two["stats"]["bytes_transferred"] / one["stats"]["bytes_transferred"]
    say("second sync, changed blocks: bytes over the first's", f"{moved:.4f}", "<= 0.02", moved <= 0.02)
    say("second sync, changed blocks: time over the first's", f"{second / first:.3f}", "<= 0.05", second / first <= 0.05,
        f"{second:.2f} s and {first:.2f} s")
    subprocess.run(["cmp", source, target], check=True)
    with open(source, "rb+") as file:
        for chunk in changed:
            file.seek(chunk << 16)
            file.write(rng.randbytes(65536))
    third, three = ours(source, target, *keep, ledger, "--snapshot", "3")
    moved = three["stats"]["bytes_transferred"] / one["stats"]["bytes_transferred"]
    say("second sync, digests: bytes sent over the first's", f"{moved:.4f}", "<= 0.02", moved <= 0.02, f"{third:.2f} s")
    subprocess.run(["cmp", source, target], check=True)


def case_kill(directory):
    source, target, ledger = f"{directory}/a", f"{directory}/b", f"{directory}/l"
    size = 4 * GIB
    image(source, size, size)
    whole = ours(source, fresh(target))[0]
    shares = []
    for _ in range(RUNS * 2):
        fresh(ledger), fresh(target)
        drop_caches()
        process = subprocess.Popen([COPY, "--ledger", ledger, source, target], stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.1, 0.9) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
        there = os.stat(target).st_blocks * 512
        _, report = ours(source, target, "--keep", "--ledger", ledger)
        shares.append(max(0, there - report["stats"]["bytes_resumed"]) / size)
        subprocess.run(["cmp", source, target], check=True)
    value = max(shares)
    say("killed at a random moment of 4 GiB: moved twice, at most", f"{value:.4f}", "<= 0.02", value <= 0.02,
        "each " + " ".join(f"{share:.4f}" for share in shares))


def main():
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    wanted = sys.argv[1:] or list(cases)
    unknown = [name for name in wanted if name not in cases]
    if unknown:
        raise SystemExit(f"there is no case {unknown[0]}; there are {' '.join(cases)}")
    for program in ("nbdcopy", "nbdkit", "qemu-img", "fio"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing: apt-get install libnbd-bin nbdkit qemu-utils fio")
    base = os.environ.get("DIR") or os.path.dirname(os.path.abspath(COPY))
    for name in wanted:
        with tempfile.TemporaryDirectory(dir=base, prefix="transfer-bench-") as directory:
            cases[name](directory)


main()
