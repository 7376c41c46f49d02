"""What the user writes in a pipeline: judge a candidate, register it.

    best = ms.best(models, predictions, ms.metrics.mae)
    if ms.gate(best, "bike-demand", margin=0.05):
        ms.register(best, "bike-demand")

Both are calls of the platform: they run where the registry is, not in a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mainspring.evaluation.definitions import MetricRef
from mainspring.kernel.verdicts import Verdict
from mainspring.pipelines.definitions import Candidate, operation
from mainspring.registry.model import checked_name


def gate(
    candidate: Any,
    name: str,
    *,
    margin: float = 0.0,
    metric: MetricRef | str | None = None,
    threshold: float | None = None,
    tie: Literal["block", "pass"] = "block",
    confidence: float = 0.95,
    holdout: Any = None,
) -> Any:
    """The verdict on a candidate for the model `name`: true only if it passed.

    It is compared on the same holdout rows with the model's champion, or, where there is none, with
    the constant that predicts the mean of the training target.

    candidate   what `ms.best` gave: a model with its predictions.
    margin      how much worse is harmless, as a share of the champion's value: 0.05 is five percent.
                The default 0 asks for a proof that the candidate is better.
    metric      default: mae for regressors, log_loss for classifiers.
    threshold   absolute bound that the metric must hold as well.
    tie         what to do where the evidence does not decide: "block", or "pass".
    holdout     the rows that were predicted. Needed only where the registry cannot find them among
                what the evaluation step was given.
    """
    arguments = {
        "candidate": _parts(candidate),
        "metric": metric.name if isinstance(metric, MetricRef) else metric,
        "margin": margin,
        "threshold": threshold,
        "tie": tie,
        "confidence": confidence,
        "holdout": holdout,
    }
    return operation("gate", f"/registry/models/{checked_name(name)}/gate", arguments, Verdict)


def register(
    candidate: Any,
    name: str,
    *,
    metrics: Mapping[str, float] | None = None,
    owner: str = "",
    license: str = "",
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> Any:
    """The new version of the model `name`, as a dictionary; it becomes `@challenger`.

    candidate   what `ms.best` gave, or the handle of a model alone. The very same artifact again
                gives the version that it is already.
    metrics     what the predictions and the training step's log do not say.
    """
    arguments = {
        "candidate": _parts(candidate),
        "metrics": dict(metrics or {}),
        "owner": owner,
        "license": license,
        "description": description,
        "tags": dict(tags or {}),
    }
    return operation("register", f"/registry/models/{checked_name(name)}/versions", arguments, dict)


def _parts(candidate: Any) -> Any:
    return candidate._asdict() if isinstance(candidate, Candidate) else candidate
