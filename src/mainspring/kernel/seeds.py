"""Seeding every random generator that is loaded, so that a rerun draws the same numbers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def set_seeds(seed: int) -> dict[str, int]:
    """Seed Python's `random`, NumPy's global generator and torch, those that are loaded; which, by library."""
    random.seed(seed)
    seeds = {"python": seed}
    if numpy := sys.modules.get("numpy"):
        seeds["numpy"] = seed % 2**32
        numpy.random.seed(seeds["numpy"])
    if torch := sys.modules.get("torch"):
        seeds["torch"] = seed
        torch.manual_seed(seed)
    return seeds


@contextmanager
def seeded(seed: int) -> Iterator[dict[str, int]]:
    """`set_seeds` for a while: afterwards the generators go on as if nothing had been."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    torch_state = torch.get_rng_state() if torch else None
    try:
        yield set_seeds(seed)
    finally:
        random.setstate(python_state)
        if numpy:
            numpy.random.set_state(numpy_state)
        if torch:
            torch.set_rng_state(torch_state)
