from __future__ import annotations

import os
import threading
import time
import uuid

from mainspring.kernel.ids import new_id


def test_ids_are_uuid_version_7_with_the_present_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    # The counter may run ahead of the clock by the ids made in this millisecond, never behind it.
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 10


def test_ids_of_one_process_ascend() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_threads_never_share_an_id() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend([new_id() for _ in range(2000)])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100).decode() != new_id()
