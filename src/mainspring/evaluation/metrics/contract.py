"""What every metric guarantees.

- `value` is a pure function of shape (n,) arrays: finite, the same for the same rows in any order,
  and a weight of two counts as the row twice. Wrong arrays raise InvalidInput naming the argument.
- `statistic(...).full()` is `value` of the same rows; `without_each` is `value` of the rows outside
  each block, NaN where it is undefined there.
- It is smooth: a small change of a few rows changes it a little. Of quantiles (median error) the
  intervals of `science.intervals` would not be valid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mainspring.evaluation.model import Task
from mainspring.science.blockwise import Blocks, Recomputed
from mainspring.science.intervals import Statistic


class Metric(ABC):
    """A measure of predictions. Each plug-in file holds one, as `metric`; the file's name is `name`.

    label   for people, as it begins a sentence.
    tasks   what kinds of target it is for; "binary" means targets of 0 and 1, and predictions of the
            probability (or, where only the order counts, any score) of 1.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    greater_is_better: ClassVar[bool]
    tasks: ClassVar[frozenset[Task]]

    @abstractmethod
    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        """The metric; all arrays of shape (n,), n at least 1."""

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic:
        """The metric by block. This one computes `value` once per block; override it to be faster."""
        self.value(target, prediction, weight)  # so that wrong arrays are refused before rows are picked
        weights = None if weight is None else np.asarray(weight)
        return Recomputed(self.value, np.asarray(target), np.asarray(prediction), weights, blocks)
