"""What Linux tells about processes, and what one asks of it. Elsewhere: as little as is safe."""

from __future__ import annotations

import ctypes
import os
import sys

_SET_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send us the signal when the thread that forked us ends.

    Cleared by fork, so every child asks for itself; and blind to a parent that died before the
    call, so the caller compares `os.getppid()` afterwards.
    """
    if _libc is not None:
        _libc.prctl(_SET_DEATH_SIGNAL, signal_number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, sessions of their own or not."""
    if _libc is not None:
        _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Direct children, those of every thread; empty where the kernel does not say."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as listing:
                found += map(int, listing.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for member in found:
        found += children(member)
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory, pages shared with others included; 0 for a process that is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as fields:
            return int(fields.read().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def proportional_bytes(pid: int) -> int | None:
    """Resident memory with each shared page divided among its users; slow; None where unreadable."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as lines:
            for line in lines:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def memory_in_use(pid: int, shared_bytes: int) -> int:
    """Memory of a process and its descendants beyond what it was born with.

    Resident sizes count a page once per process, which wrongs tasks that fork a pool of their own.
    """
    return sum(map(resident_bytes, tree(pid))) - shared_bytes


def memory_in_use_exactly(pid: int, shared_bytes: int) -> int:
    """As `memory_in_use`, but a page shared by two processes counts once; takes milliseconds."""
    sizes = [proportional_bytes(member) for member in tree(pid)]
    rough = memory_in_use(pid, shared_bytes)
    return rough if None in sizes else min(rough, sum(size for size in sizes if size is not None))
