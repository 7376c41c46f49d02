"""What the tests run as tasks."""

# ruff: noqa: T201 - a step may print

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from mainspring.kernel.errors import SchemaMismatch
from mainspring.kernel.reporting import report


def add(left, right):
    return left + right


def say(text, times=1):
    for _ in range(times):
        print(text)


def count_aloud(to):
    for number in range(to):
        print(f"line {number:06d}")


def say_on_both(text):
    print(text)
    print(text, file=sys.stderr)


def fail(message):
    print("before the failure")
    raise ValueError(message)


def fail_as_the_kernel_does():
    raise SchemaMismatch("hour.csv", wanted="column cnt", found="none", fix="Add it.")


def exit_politely(code):
    sys.exit(code)


def exit_at_once(code):
    os._exit(code)


def crash():
    ctypes.string_at(0)


def kill_itself(number):
    os.kill(os.getpid(), number)
    signal.pause()


def announce():
    report({"type": "progress", "pid": os.getpid(), "zygote": os.getppid()})


def hang():
    announce()
    signal.pause()


def hang_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    announce()
    while True:
        signal.pause()


def start_others(then):
    """One child in our group, one in a session of its own, one orphaned grandchild in a third."""
    near = subprocess.Popen(["sleep", "600"])
    far = subprocess.Popen(["sleep", "600"], start_new_session=True)
    orphan = subprocess.run(
        ["sh", "-c", "setsid sleep 600 >&- 2>&- & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    )
    report({"type": "progress", "pids": [near.pid, far.pid, int(orphan.stdout)], "pid": os.getpid()})
    if then == "hang":
        signal.pause()
    if then == "crash":
        os._exit(9)


def swell(size_bytes):
    held = bytearray()
    while len(held) < size_bytes:
        held += b"\1" * 10_000_000
    announce()
    signal.pause()


def swell_in_a_child(size_bytes):
    child = multiprocessing.get_context("fork").Process(target=swell, args=(size_bytes,))
    child.start()
    child.join()


def report_many(count):
    for number in range(count):
        report({"type": "metric", "key": "loss", "value": number / 2, "step": number, "time": 0.0})
    return count


def report_something(message):
    return report(message)


def lock():
    return threading.Lock()


def large(size_bytes):
    return os.urandom(1) * size_bytes


def surroundings():
    return {"folder": os.getcwd(), "environment": dict(os.environ), "path": list(sys.path), "pid": os.getpid()}


def parent():
    return os.getppid()


def work_for(seconds):
    """Seconds of cpu, however busy the machine is."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def mark(path):
    Path(path).write_text("done")


def fresh_random_numbers():
    import random

    import numpy

    return random.random(), float(numpy.random.random())


def library_threads():
    import sklearn.ensemble  # noqa: F401 - loads an OpenMP and two OpenBLAS
    from threadpoolctl import threadpool_info

    return {(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()}


class Unreadable:
    def __reduce__(self):
        return (fail, ("cannot be rebuilt",))
