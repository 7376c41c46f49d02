"""How sure a statistic is, when the rows of one block (a day, a customer) are alike.

Rows close in time share weather and season, so an interval from single rows claims far too much
certainty. Whole blocks are left out instead, and a block takes all its rows with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mainspring.kernel.errors import InvalidInput
from mainspring.science.arrays import Floats
from mainspring.science.metrics import unit_scaled

METHOD = "block jackknife with Student t"


class Statistic(Protocol):
    """A number computed from blocks of rows, which can say what it would be without one of them."""

    def full(self) -> float:
        """The value on all rows."""
        ...

    def without_each(self) -> Floats:
        """The value on all blocks but one, for each block: shape (blocks,), NaN where it is undefined."""
        ...


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds that hold the true value with `confidence`.

    low, high   infinite where the rows tell nothing: fewer than two blocks, or a value that is
                undefined without one of the blocks.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    blocks: int
    method: str = METHOD


def block_interval(statistic: Statistic, *, confidence: float = 0.95) -> Interval:
    """A two-sided interval for a smooth statistic: estimate ± t(blocks − 1) × standard error.

    The standard error is that of the jackknife which leaves out one block at a time. Blocks may
    differ in size; they must be independent. Two blocks are enough for a valid, very wide interval.
    Where the value is the same whichever block is left out, the interval has no width.

    confidence  above 0, under 1.
    Source      jackknife standard error: B. Efron and R. J. Tibshirani (1993), An Introduction to the
                Bootstrap, eq. 11.5; t with one degree less than blocks: J. W. Tukey (1958), Annals of
                Mathematical Statistics 29, 614.
    """
    # Not a bootstrap: percentile and BCa intervals of the same blocks were measured on simulated
    # days. From 5 to 30 blocks they missed up to four times as often as declared, and with heavy tails
    # BCa still did at 200; this one held 92 to 97 times in 100 from 2 blocks on. See the coverage test.
    if not 0 < confidence < 1:
        raise InvalidInput("confidence", wanted="a number above 0 and under 1", found=str(confidence))
    estimate, others = statistic.full(), statistic.without_each()
    blocks = int(others.size)
    if blocks < 2 or np.isnan(others).any():
        return Interval(estimate, -math.inf, math.inf, confidence, blocks)
    half = _student_quantile(blocks - 1, 0.5 + confidence / 2) * jackknife_error(others)
    return Interval(estimate, estimate - half, estimate + half, confidence, blocks)


def jackknife_error(without_each: Floats) -> float:
    """The standard error of a statistic from its values without each block, shape (blocks,), at least two."""
    deviations, scale = unit_scaled(without_each - without_each.mean())
    blocks = without_each.size
    return float(scale * math.sqrt((blocks - 1) / blocks * (deviations @ deviations)))


def _student_quantile(degrees: int, probability: float) -> float:
    # Imported on use: the control plane loads this module with the evaluation stage, and SciPy
    # would add a quarter of a second to every command.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))
