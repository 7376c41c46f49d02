"""Random numbers in steps: the same again on a rerun, and on record."""

from __future__ import annotations

import random

import numpy as np
import pytest

import mainspring as ms
from mainspring.surfaces.client import Client


@ms.step(cache=False)
def draw(low: int) -> list[float]:
    ms.log_metric("drawn", 1.0)
    return [low + random.random(), low + float(np.random.random())]


@ms.pipeline
def drawing(low: int = 0) -> None:
    draw(low)


@pytest.mark.parametrize("compute", ["inline", "processes"])
def test_a_rerun_of_the_same_code_and_inputs_draws_the_same_numbers(client: Client, compute: str) -> None:
    runs = [drawing.run(low=low, client=client, compute=compute) for low in (0, 0, 5)]
    same, again, other = (run.load("draw") for run in runs)
    assert same == again
    assert [value - 5 for value in other] != same, "other inputs draw other numbers"


def test_the_seeds_stand_in_the_record_of_the_step_and_of_its_run(client: Client) -> None:
    run = drawing.run(client=client, compute="inline")
    (step,) = client.get(f"/pipelines/runs/{run.id}")["steps"]
    seeds = step["facts"]["seeds"]
    assert {"python", "numpy"} <= set(seeds)
    assert client.get(f"/tracking/runs/{step['id']}")["run"]["seeds"] == seeds
