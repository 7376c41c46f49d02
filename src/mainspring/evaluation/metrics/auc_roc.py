"""Area under the ROC curve: how well scores put 1 above 0, whatever their scale."""

from __future__ import annotations

from numpy.typing import ArrayLike

from mainspring.evaluation.metrics.contract import Metric
from mainspring.science import metrics
from mainspring.science.blockwise import Blocks, ranking
from mainspring.science.intervals import Statistic


class AreaUnderRoc(Metric):
    name = "auc_roc"
    label = "Area under the ROC curve"
    greater_is_better = True
    tasks = frozenset({"binary"})

    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        return metrics.roc_auc(target, prediction, weight)

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic:
        return ranking(target, prediction, weight, blocks)


metric = AreaUnderRoc()
