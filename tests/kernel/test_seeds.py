from __future__ import annotations

import random

import numpy as np

from mainspring.kernel.seeds import seeded, set_seeds


def test_the_same_seed_draws_the_same_numbers() -> None:
    drawn = []
    for _ in range(2):
        with seeded(7) as seeds:
            drawn.append((random.random(), float(np.random.random())))
    assert drawn[0] == drawn[1]
    assert {"python": 7, "numpy": 7}.items() <= seeds.items()


def test_afterwards_the_generators_go_on_as_if_nothing_had_been() -> None:
    set_seeds(1)
    expected = (random.random(), float(np.random.random()))
    set_seeds(1)
    with seeded(99):
        random.random(), np.random.random()
    assert (random.random(), float(np.random.random())) == expected
