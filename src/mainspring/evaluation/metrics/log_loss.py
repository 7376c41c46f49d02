"""Log loss of probabilities, in nats; rewards being calibrated."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mainspring.evaluation.metrics.contract import Metric
from mainspring.science import metrics
from mainspring.science.blockwise import Blocks, logarithmic_loss
from mainspring.science.intervals import Statistic


class LogLoss(Metric):
    name = "log_loss"
    label = "Log loss"
    greater_is_better = False
    tasks = frozenset({"binary"})

    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        return metrics.log_loss(target, prediction, weight)

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic:
        return logarithmic_loss(target, prediction, weight, blocks)


metric = LogLoss()
