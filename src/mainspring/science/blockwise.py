"""Metrics by block: each can say exactly what it would be without one block, in O(n log n) altogether."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.kernel.errors import InvalidInput
from mainspring.science.arrays import Floats, Integers, block_numbers, weights
from mainspring.science.intervals import Statistic
from mainspring.science.metrics import classes_and_scores, errors, log_losses, roc_auc, tie_bounds, unit_scaled

_NOTHING_LEFT = 1e-12
"""Share of a total under which what remains of it is rounding, not rows."""


@dataclass(frozen=True)
class Blocks:
    """Which block each row lies in: `numbers` of shape (n,), from 0 to `count` − 1."""

    numbers: Integers
    count: int

    @classmethod
    def of(cls, ids: ArrayLike | None, rows: int) -> Blocks:
        """From block ids of shape (rows,), any sortable type; None makes each row its own block."""
        return cls(*block_numbers(ids, rows))

    def sums(self, values: Floats) -> Floats:
        """Sum of `values`, shape (n,), in each block: shape (count,)."""
        return np.bincount(self.numbers, weights=values, minlength=self.count).astype(np.float64, copy=False)


Prepare = Callable[[ArrayLike, ArrayLike, ArrayLike | None, Blocks], Statistic]
"""Target, prediction, weight, blocks to the metric as a statistic of blocks."""


@dataclass(frozen=True)
class BlockMean:
    """scale × (weighted mean of losses)^(1/exponent); losses are 0 or more."""

    losses: Floats
    weights: Floats
    """Sums of weight × loss, and of weight, in each block: shape (blocks,)."""
    exponent: int = 1
    scale: float = 1.0

    def full(self) -> float:
        return float(self._finished(self.losses.sum(), self.weights.sum()))

    def without_each(self) -> Floats:
        return self._finished(self.losses.sum() - self.losses, remaining(self.weights))

    def _finished(self, losses: Floats, weights: Floats) -> Floats:
        mean: Floats = np.maximum(losses, 0) / weights
        finished: Floats = self.scale * mean ** (1 / self.exponent)
        return finished


@dataclass(frozen=True)
class BlockRanking:
    """Area under the ROC curve from the mass of rightly ordered pairs, each shape (blocks,)."""

    positive: Floats
    negative: Floats
    ordered_from: Floats
    """Twice the mass of the ordered pairs whose 1 lies in the block; ties count half."""
    ordered_to: Floats
    """The same for pairs whose 0 lies in the block."""
    ordered_within: Floats

    def full(self) -> float:
        return float(min(self.ordered_from.sum() / (2 * self.positive.sum() * self.negative.sum()), 1.0))

    def without_each(self) -> Floats:
        # Pairs inside the block stand in both sums and are taken away once.
        left = self.ordered_from.sum() - self.ordered_from - self.ordered_to + self.ordered_within
        share: Floats = left / (2 * remaining(self.positive) * remaining(self.negative))
        return np.clip(share, 0, 1)


@dataclass(frozen=True)
class Recomputed:
    """Any metric of weighted rows, computed anew without each block: O(n × blocks)."""

    metric: Callable[[ArrayLike, ArrayLike, ArrayLike | None], float]
    target: NDArray[np.generic]
    prediction: NDArray[np.generic]
    weight: NDArray[np.generic] | None
    blocks: Blocks

    def full(self) -> float:
        return self.metric(self.target, self.prediction, self.weight)

    def without_each(self) -> Floats:
        return np.array([self._without(number) for number in range(self.blocks.count)])

    def _without(self, number: int) -> float:
        kept = self.blocks.numbers != number
        weight = None if self.weight is None else self.weight[kept]
        try:
            return self.metric(self.target[kept], self.prediction[kept], weight)
        except InvalidInput:
            # All rows together were accepted, so it is this remainder on which the metric is undefined.
            return np.nan


def absolute_error(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks) -> Statistic:
    return _power_mean(target, prediction, weight, blocks, exponent=1)


def root_squared_error(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks) -> Statistic:
    return _power_mean(target, prediction, weight, blocks, exponent=2)


def _power_mean(
    target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks, *, exponent: int
) -> Statistic:
    scaled, scale = unit_scaled(errors(target, prediction))
    mass = weights(weight, scaled.size)
    return BlockMean(blocks.sums(mass * scaled**exponent), blocks.sums(mass), exponent, scale)


def logarithmic_loss(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks) -> Statistic:
    losses = log_losses(target, prediction)
    mass = weights(weight, losses.size)
    return BlockMean(blocks.sums(mass * losses), blocks.sums(mass))


def ranking(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks) -> Statistic:
    roc_auc(target, prediction, weight)  # raises where the value is undefined
    is_one, score = classes_and_scores(target, prediction)
    mass = weights(weight, score.size)
    ones = _Scored(score[is_one], mass[is_one], blocks.numbers[is_one])
    zeros = _Scored(score[~is_one], mass[~is_one], blocks.numbers[~is_one])

    def per_block(rows: _Scored, values: Floats) -> Floats:
        return Blocks(rows.block, blocks.count).sums(values)

    below_ones = ones.mass * _mass_below(ones.score, zeros.score, zeros.mass)
    above_zeros = zeros.mass * (2 * ones.mass.sum() - _mass_below(zeros.score, ones.score, ones.mass))
    # One key per (block, score) orders by block first, so that a row's own block is one stretch.
    levels = np.unique(score, return_inverse=True)[1]
    keys = blocks.numbers * (int(levels.max()) + 1) + levels
    starts = blocks.numbers * (int(levels.max()) + 1)
    one_keys, zero_keys = keys[is_one], keys[~is_one]
    through = _mass_below(one_keys, zero_keys, zeros.mass)
    before = _mass_below(starts[is_one], zero_keys, zeros.mass, strictly=True)
    return BlockRanking(
        positive=per_block(ones, ones.mass),
        negative=per_block(zeros, zeros.mass),
        ordered_from=per_block(ones, below_ones),
        ordered_to=per_block(zeros, above_zeros),
        ordered_within=per_block(ones, ones.mass * (through - before)),
    )


@dataclass(frozen=True)
class _Scored:
    score: Floats
    mass: Floats
    block: Integers


def _mass_below(
    scores: Floats | Integers, others: Floats | Integers, mass: Floats, *, strictly: bool = False
) -> Floats:
    """Twice the mass of the others below each score; those equal count half, or not at all if `strictly`."""
    order = np.argsort(others, kind="stable")
    reached = np.concatenate([[0.0], np.cumsum(mass[order])])
    below, through = tie_bounds(scores, others[order])
    return 2 * reached[below] if strictly else reached[below] + reached[through]


def remaining(parts: Floats) -> Floats:
    """The total of `parts` without each of them; NaN where nothing is left."""
    total = parts.sum()
    left: Floats = total - parts
    return np.where(left > _NOTHING_LEFT * total, left, np.nan)
