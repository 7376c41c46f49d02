"""Root mean squared error, in units of the target; large errors count more."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mainspring.evaluation.metrics.contract import Metric
from mainspring.science import metrics
from mainspring.science.blockwise import Blocks, root_squared_error
from mainspring.science.intervals import Statistic


class RootMeanSquaredError(Metric):
    name = "rmse"
    label = "Root mean squared error"
    greater_is_better = False
    tasks = frozenset({"regression"})

    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        return metrics.root_mean_squared_error(target, prediction, weight)

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic:
        return root_squared_error(target, prediction, weight, blocks)


metric = RootMeanSquaredError()
