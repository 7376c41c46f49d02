"""How good predictions are: mean absolute error, root mean squared error, log loss, area under the ROC curve.

All take arrays of shape (n,), n at least 1, with optional weights of shape (n,). Bad input raises
InvalidInput and names the argument and the first row that is wrong: no rows, unequal lengths, NaN,
infinity, a negative weight, weights that sum to zero. Computed in float64 whatever comes in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.kernel.errors import InvalidInput
from mainspring.science.arrays import Floats, Integers, binary, finite, same_rows, vector, weights


def mean_absolute_error(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The weighted mean of |target − prediction|, in units of the target.

    >>> mean_absolute_error([1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    1.0
    """
    return power_mean(errors(target, prediction), 1, weight)


def root_mean_squared_error(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The square root of the weighted mean of (target − prediction)², in units of the target.

    >>> root_mean_squared_error([0.0, 0.0], [3.0, 3.0])
    3.0
    """
    return power_mean(errors(target, prediction), 2, weight)


def log_loss(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The weighted mean of −ln(probability given to what happened), in nats.

    target      0 or 1 (or booleans).
    prediction  probability of 1, in [0, 1]. It is clipped to [e, 1 − e], e the machine epsilon of the
                array's own type (2.2e-16 for float64, 1.2e-7 for float32): a float32 cannot say more
                about a probability than that, so a saturated one is not charged as if it were certain.

    >>> round(log_loss([1, 0], [0.5, 0.5]), 6)
    0.693147
    """
    losses = log_losses(target, prediction)
    return float(np.average(losses, weights=weights(weight, losses.size)))


def roc_auc(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The share of (1, 0) pairs that the score puts in the right order, ties counting half; in [0, 1].

    target      0 or 1 (or booleans), both present with positive weight; else the value is undefined
                and InvalidInput says so.
    prediction  any finite score; larger means more like 1.
    Source      the Mann-Whitney form with midranks: J. A. Hanley and B. J. McNeil (1982), Radiology 143, 29-36.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    is_one, score = classes_and_scores(target, prediction)
    pairs = weights(weight, score.size)
    positive, negative = pairs[is_one].sum(), pairs[~is_one].sum()
    if not (positive > 0 and negative > 0):
        only = "1" if positive > 0 else "0"
        raise InvalidInput("area under the ROC curve", wanted="rows of both classes", found=f"only {only}: undefined")
    below, through = tie_bounds(score[is_one], np.sort(score[~is_one]))
    order = np.argsort(score[~is_one], kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(pairs[~is_one][order])])
    ordered = pairs[is_one] @ (mass[below] + mass[through])
    # Rounding of weighted sums can pass 1 by one unit in the last place.
    return float(min(ordered / (2 * positive * negative), 1.0))


def errors(target: ArrayLike, prediction: ArrayLike) -> Floats:
    """target − prediction, shape (n,), finite."""
    wanted, given = finite("target", target), finite("prediction", prediction)
    same_rows("prediction", given.size, wanted.size)
    with np.errstate(over="ignore"):
        difference = wanted - given
    if not np.isfinite(difference).all():
        row = int(np.argmin(np.isfinite(difference)))
        raise InvalidInput(
            "prediction",
            wanted="a difference from target that a float64 can hold",
            found=f"{given[row]} against {wanted[row]} at index {row}",
        )
    return difference


def power_mean(values: Floats, exponent: int, weight: ArrayLike | None) -> float:
    """(weighted mean of |values|^exponent)^(1/exponent), without overflow on the way."""
    scaled, scale = unit_scaled(values)
    mean = np.average(scaled**exponent, weights=weights(weight, values.size))
    return float(scale * mean ** (1 / exponent))


def unit_scaled(values: Floats) -> tuple[Floats, float]:
    """|values| divided by a power of two so that the largest lies in [1, 2), and that power.

    A power of two changes no digit; without it, errors above 1e154 would square to infinity and
    errors below 1e-162 to zero.
    """
    magnitudes = np.abs(values)
    _, power = np.frexp(magnitudes.max())
    scale = float(np.ldexp(1.0, int(power) - 1))
    return magnitudes / scale, scale


def log_losses(target: ArrayLike, prediction: ArrayLike) -> Floats:
    """−ln(probability given to what happened) of each row, shape (n,), by the clip rule of `log_loss`."""
    happened = binary("target", target)
    given = vector("prediction", prediction)
    epsilon = np.finfo(given.dtype).eps if given.dtype.kind == "f" else np.finfo(np.float64).eps
    probability = finite("prediction", given)
    same_rows("prediction", probability.size, happened.size)
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        row = int(np.argmax(outside))
        raise InvalidInput("prediction", wanted="probabilities from 0 to 1", found=f"{probability[row]} at index {row}")
    credited = np.where(happened, probability, 1 - probability)
    losses: Floats = -np.log(np.clip(credited, float(epsilon), 1 - float(epsilon)))
    return losses


def classes_and_scores(target: ArrayLike, prediction: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Whether each row is of class 1, and its score; both of shape (n,)."""
    is_one, score = binary("target", target), finite("prediction", prediction)
    same_rows("prediction", score.size, is_one.size)
    return is_one, score


def tie_bounds(
    scores: Floats | Integers, sorted_others: Floats | Integers
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each score, how many of the others lie below it, and how many below or equal.

    Their mean is the score's midrank among the others.
    """
    return np.searchsorted(sorted_others, scores, "left"), np.searchsorted(sorted_others, scores, "right")
