"""What an evaluation is, and how it is judged: pure functions of predictions and margins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NewType, Protocol

import numpy as np
from numpy.typing import ArrayLike

from mainspring.kernel.errors import InvalidInput
from mainspring.kernel.ids import PrincipalId
from mainspring.kernel.verdicts import Outcome, Verdict
from mainspring.science.blockwise import Blocks
from mainspring.science.intervals import Interval, Statistic
from mainspring.science.paired import Paired, metric_interval, paired_difference

EvaluationId = NewType("EvaluationId", str)
Task = Literal["regression", "binary"]
_NAME_LIMIT = 64


class Measure(Protocol):
    """A metric as seen from below the plug-ins; what each guarantees stands in `metrics/contract.py`."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def greater_is_better(self) -> bool: ...

    @property
    def tasks(self) -> frozenset[Task]: ...

    def value(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float: ...

    def statistic(
        self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None, blocks: Blocks
    ) -> Statistic: ...


@dataclass(frozen=True)
class Measurement:
    """One metric on one data set, with the interval that holds its true value.

    low, high   None where the rows do not bound the value (JSON has no infinity).
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    confidence: float
    rows: int
    blocks: int
    method: str

    def __post_init__(self) -> None:
        if not (0 < len(self.metric) <= _NAME_LIMIT and self.metric.isprintable()):
            raise InvalidInput(
                "metric name", wanted=f"1 to {_NAME_LIMIT} printable characters", found=repr(self.metric)
            )
        if not math.isfinite(self.value):
            raise InvalidInput(f"value of {self.metric}", wanted="a finite number", found=str(self.value))
        low, high = _or(self.low, -math.inf), _or(self.high, math.inf)
        if not low <= self.value <= high:
            found = f"{self.value} outside {self.low} to {self.high}"
            raise InvalidInput(f"interval of {self.metric}", wanted="bounds around the value", found=found)
        if not 0 < self.confidence < 1:
            wanted = "a number above 0 and under 1"
            raise InvalidInput(f"confidence of {self.metric}", wanted=wanted, found=str(self.confidence))
        if not 1 <= self.blocks <= self.rows:
            found = f"{self.blocks} blocks of {self.rows} rows"
            raise InvalidInput(
                f"blocks of {self.metric}", wanted="at least one block, each of at least one row", found=found
            )


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one model on one version of a data set; never changed once recorded.

    model_id            what was evaluated: a model version, or the digest of a model's artifact.
    predictions_digest  blob of the predictions that were measured (`Predictions.to_bytes`), where kept.
    """

    id: EvaluationId
    project: str
    run_id: str | None
    model_id: str | None
    dataset_version_id: str | None
    predictions_digest: str | None
    measurements: tuple[Measurement, ...]
    recorded_by: PrincipalId
    recorded_at: datetime


def checked_measurements(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The measurements of one evaluation: at least one, each metric once. Raises InvalidInput."""
    names = [one.metric for one in measurements]
    if not names or len(set(names)) != len(names):
        wanted = "at least one metric, each once"
        raise InvalidInput("measurements", wanted=wanted, found=", ".join(names) or "none")
    return tuple(measurements)


def measure(
    metric: Measure,
    target: ArrayLike,
    prediction: ArrayLike,
    *,
    blocks: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Measurement:
    """The metric with its interval; arguments as in `compare`."""
    interval = metric_interval(
        metric.statistic, target, prediction, blocks=blocks, weight=weight, confidence=confidence
    )
    return Measurement(
        metric=metric.name,
        value=interval.estimate,
        low=_finite(interval.low),
        high=_finite(interval.high),
        confidence=confidence,
        rows=int(np.size(np.asarray(target))),
        blocks=interval.blocks,
        method=interval.method,
    )


def compare(
    metric: Measure,
    target: ArrayLike,
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    margin: float = 0.0,
    blocks: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Verdict:
    """Whether the candidate is at most `margin` worse than the baseline on the same rows.

    Pass: the upper bound of (candidate − baseline), positive is worse, lies under the margin. Fail:
    its lower bound lies above. Else inconclusive, as are fewer than two blocks. Either error has a
    probability of (1 − confidence) / 2 at a true difference of exactly the margin.

    target, candidate, baseline   shape (n,): the truth and the two predictions of it.
    margin   how much worse is harmless, as a share of the baseline's value: with 0.05 an error of
             40 may become 42. The default 0 asks for a proof that the candidate is better, which two
             equally good models do not give; under 0 it must be better by that share.
    blocks   shape (n,): what is alike shares an id (the day, say); None takes rows as independent.
    """
    if not -1 < margin < math.inf:
        wanted = "a finite share of the baseline's value, above -1"
        raise InvalidInput("margin", wanted=wanted, found=str(margin), fix="For five percent write 0.05.")
    paired = paired_difference(
        metric.statistic,
        target,
        candidate,
        baseline,
        greater_is_better=metric.greater_is_better,
        blocks=blocks,
        weight=weight,
        confidence=confidence,
    )
    allowed = margin * abs(paired.baseline)
    outcome = _outcome(paired.difference, allowed)
    return Verdict(
        check=f"{metric.name} against baseline",
        outcome=outcome,
        reason=_compared(metric, paired, allowed, outcome),
        evidence={
            "metric": metric.name,
            "candidate": paired.candidate,
            "baseline": paired.baseline,
            "difference": paired.difference.estimate,
            "low": _finite(paired.difference.low),
            "high": _finite(paired.difference.high),
            "margin": allowed,
            "margin_share": margin,
            "rows": paired.rows,
            "blocks": paired.difference.blocks,
            "confidence": confidence,
            "method": paired.difference.method,
        },
    )


def meets(
    metric: Measure,
    target: ArrayLike,
    prediction: ArrayLike,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    blocks: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Verdict:
    """Whether the metric meets a threshold; give exactly one of `at_most` and `at_least`.

    Pass: the whole interval lies on the right side of the threshold. Fail: on the wrong one. Else
    inconclusive. Other arguments as in `compare`.
    """
    if (at_most is None) == (at_least is None):
        found = "neither" if at_most is None else "both"
        raise InvalidInput("threshold", wanted="exactly one of at_most and at_least", found=found)
    bound, threshold = ("at most", at_most) if at_most is not None else ("at least", at_least)
    if threshold is None or not math.isfinite(threshold):
        raise InvalidInput("threshold", wanted="a finite number", found=str(threshold))
    measured = measure(metric, target, prediction, blocks=blocks, weight=weight, confidence=confidence)
    low, high = _or(measured.low, -math.inf), _or(measured.high, math.inf)
    inside, outside = (
        (high <= threshold, low > threshold) if at_most is not None else (low >= threshold, high < threshold)
    )
    outcome: Outcome = "pass" if inside else "fail" if outside else "inconclusive"
    return Verdict(
        check=f"{metric.name} {bound} {threshold:g}",
        outcome=outcome,
        reason=_met(metric, measured, f"{bound} {threshold:g}", outcome),
        evidence={
            "metric": metric.name,
            "value": measured.value,
            "low": measured.low,
            "high": measured.high,
            "bound": bound,
            "threshold": threshold,
            "rows": measured.rows,
            "blocks": measured.blocks,
            "confidence": confidence,
            "method": measured.method,
        },
    )


def _outcome(difference: Interval, allowed: float) -> Outcome:
    if difference.high < allowed:
        return "pass"
    return "fail" if difference.low > allowed else "inconclusive"


def _compared(metric: Measure, paired: Paired, allowed: float, outcome: Outcome) -> str:
    found = paired.difference
    values = f"{metric.label} is {paired.candidate:.4g} against {paired.baseline:.4g}"
    if math.isinf(found.low):
        return f"{values}, but {_unbounded(found.blocks)}, so nothing is known of the difference."
    interval = (
        f"the difference of {found.estimate:+.4g} (positive is worse) lies between {found.low:+.4g} and "
        f"{found.high:+.4g} with {found.confidence:.4g} confidence"
    )
    match outcome:
        case "pass":
            return f"{values}; {interval}, under the margin of {allowed:+.4g}."
        case "fail":
            return f"{values}; {interval}, above the margin of {allowed:+.4g}."
        case "inconclusive":
            return f"{values}; {interval}, not clear of the margin of {allowed:+.4g}."


def _met(metric: Measure, found: Measurement, wanted: str, outcome: Outcome) -> str:
    value = f"{metric.label} is {found.value:.4g}"
    if found.low is None or found.high is None:
        return f"{value}, but {_unbounded(found.blocks)}, so it is not known to be {wanted}."
    interval = f"between {found.low:.4g} and {found.high:.4g} with {found.confidence:.4g} confidence"
    said = {"pass": "as wanted", "fail": "not", "inconclusive": "not surely"}[outcome]
    return f"{value}, {interval}: {said} {wanted}."


def _unbounded(blocks: int) -> str:
    if blocks < 2:
        return "all rows lie in one block"
    return f"it is undefined without one of the {blocks} blocks"


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _or(value: Any, otherwise: float) -> float:
    return otherwise if value is None else float(value)
