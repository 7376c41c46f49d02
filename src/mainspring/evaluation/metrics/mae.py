"""Mean absolute error, in units of the target."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mainspring.evaluation.metrics.contract import Metric
from mainspring.science import metrics
from mainspring.science.blockwise import Blocks, absolute_error
from mainspring.science.intervals import Statistic


class MeanAbsoluteError(Metric):
    name = "mae"
    label = "Mean absolute error"
    greater_is_better = False
    tasks = frozenset({"regression"})

    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        return metrics.mean_absolute_error(target, prediction, weight)

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic:
        return absolute_error(target, prediction, weight, blocks)


metric = MeanAbsoluteError()
