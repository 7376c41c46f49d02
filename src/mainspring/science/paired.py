"""Is the candidate worse than the baseline? Two sets of predictions on the same rows.

Both arms lose the same blocks at the same time, so what makes a day hard for both cancels out, and
far fewer rows decide than two separate intervals would need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mainspring.kernel.errors import InvalidInput
from mainspring.science.arrays import Floats
from mainspring.science.blockwise import Blocks, Prepare
from mainspring.science.intervals import Interval, Statistic, block_interval


@dataclass(frozen=True)
class Paired:
    """The metric of both arms and their difference; a positive difference means the candidate is worse."""

    candidate: float
    baseline: float
    difference: Interval
    rows: int


@dataclass(frozen=True)
class _Difference:
    larger_is_worse: Statistic
    smaller_is_worse: Statistic

    def full(self) -> float:
        return self.larger_is_worse.full() - self.smaller_is_worse.full()

    def without_each(self) -> Floats:
        return self.larger_is_worse.without_each() - self.smaller_is_worse.without_each()


def paired_difference(
    prepare: Prepare,
    target: ArrayLike,
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    greater_is_better: bool,
    blocks: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Paired:
    """How much worse the candidate is than the baseline on the same rows, with an interval.

    target, candidate, baseline, weight   shape (n,), as the metric wants them.
    blocks      shape (n,), ids of blocks that are independent of each other (days, customers);
                None takes each row for a block of its own. Fewer than two blocks give an infinite
                interval.
    """
    arms = {"candidate": candidate, "baseline": baseline}
    rows = int(np.size(np.asarray(target)))
    of_rows = Blocks.of(blocks, rows)
    scored = {name: _prepared(prepare, name, target, arms[name], weight, of_rows) for name in arms}
    worse, better = scored["candidate"], scored["baseline"]
    difference = _Difference(better, worse) if greater_is_better else _Difference(worse, better)
    return Paired(worse.full(), better.full(), block_interval(difference, confidence=confidence), rows)


def metric_interval(
    prepare: Prepare,
    target: ArrayLike,
    prediction: ArrayLike,
    *,
    blocks: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """The metric of one set of predictions with an interval; arguments as in `paired_difference`."""
    of_rows = Blocks.of(blocks, int(np.size(np.asarray(target))))
    return block_interval(prepare(target, prediction, weight, of_rows), confidence=confidence)


def _prepared(
    prepare: Prepare, arm: str, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
) -> Statistic:
    try:
        return prepare(target, prediction, weight, blocks)
    except InvalidInput as error:
        if error.subject != "prediction":
            raise
        raise InvalidInput(f"{arm} prediction", wanted=error.wanted, found=error.found, fix=error.fix) from error
