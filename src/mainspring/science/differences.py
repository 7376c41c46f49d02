"""How far two arrays of predictions lie apart: an original model and its converted form, say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.kernel.errors import InvalidInput
from mainspring.science.arrays import Floats


@dataclass(frozen=True)
class Differences:
    """Distances between a reference and another array, row by row.

    max_absolute    largest |reference − other|; infinite where one is NaN or infinite and the other is not.
    max_relative    largest |reference − other| / max(|reference|, |other|), from 0 to 2.
    rows_beyond     rows with an output beyond the tolerance; `share_beyond` is their share, 0 to 1.
    worst_row       index of the largest absolute difference; None where all rows are equal.
    """

    rows: int
    max_absolute: float
    max_relative: float
    rows_beyond: int
    share_beyond: float
    worst_row: int | None


def differences(
    reference: ArrayLike, other: ArrayLike, *, absolute: float = 1e-5, relative: float = 1e-5
) -> Differences:
    """Compare two arrays of predictions of the same rows.

    reference, other    shape (n,) or (n, outputs), n at least 1. Numbers and booleans are compared by
                        distance; two NaN, or two equal infinities, are equal. Anything else (class
                        labels as text) is either equal, distance 0, or not, distance 1.
    absolute, relative  a value is within tolerance up to absolute + relative × |reference|; the
                        defaults suit float32 against float64. Both 0 or more. Labels have no tolerance.
    """
    for name, tolerance in (("absolute", absolute), ("relative", relative)):
        if not (0 <= tolerance < math.inf):
            raise InvalidInput(f"{name} tolerance", wanted="a finite number of 0 or more", found=str(tolerance))
    wanted, given = np.asarray(reference), np.asarray(other)
    _check_shapes(wanted, given)
    if wanted.dtype.kind in "biuf" and given.dtype.kind in "biuf":
        left, right = wanted.astype(np.float64), given.astype(np.float64)
        distance, share = _distances(left, right)
        beyond = distance > absolute + relative * np.nan_to_num(np.abs(left), posinf=0.0)
    else:
        unequal = np.asarray(wanted != given, dtype=np.bool_)
        distance = share = unequal.astype(np.float64)
        beyond = unequal
    return _summary(_by_row(distance), _by_row(share), _by_row(beyond.astype(np.float64)) > 0)


def _summary(distance: Floats, share: Floats, beyond: NDArray[np.bool_]) -> Differences:
    worst = int(np.argmax(distance))
    return Differences(
        rows=int(distance.size),
        max_absolute=float(distance[worst]),
        max_relative=float(share.max()),
        rows_beyond=int(beyond.sum()),
        share_beyond=float(beyond.mean()),
        worst_row=worst if distance[worst] > 0 else None,
    )


def _distances(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    comparable = np.isfinite(left) & np.isfinite(right)
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.where(same, 0.0, np.where(comparable, np.abs(left - right), np.inf))
        # Each part is divided before subtracting, so that huge values do not overflow.
        size = np.where(same | ~comparable, 1.0, np.maximum(np.abs(left), np.abs(right)))
        apart = np.where(comparable, np.abs(left / size - right / size), 2.0)
    return distance, np.where(same, 0.0, apart)


def _by_row(values: Floats) -> Floats:
    """The largest value of each row."""
    largest: Floats = values.reshape(len(values), -1).max(axis=1)
    return largest


def _check_shapes(reference: NDArray[Any], other: NDArray[Any]) -> None:
    if reference.ndim not in (1, 2) or reference.size == 0:
        raise InvalidInput(
            "reference", wanted="shape (n,) or (n, outputs), not empty", found=f"shape {reference.shape}"
        )
    if other.shape != reference.shape:
        raise InvalidInput(
            "other", wanted=f"shape {reference.shape}, as the reference has", found=f"shape {other.shape}"
        )
