"""Arrays as the formulas need them: checked once, at the door, with the argument and row named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.kernel.errors import InvalidInput

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def vector(name: str, values: ArrayLike) -> NDArray[Any]:
    """`values` as an array of shape (n,), n at least 1, of booleans, integers or floats."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidInput(name, wanted="an array of shape (n,)", found="rows of unequal length") from error
    if array.ndim != 1:
        raise InvalidInput(name, wanted="an array of shape (n,)", found=f"shape {array.shape}")
    if array.size == 0:
        raise InvalidInput(name, wanted="at least one row", found="no rows")
    if array.dtype.kind == "O":
        array = _numbers(name, array)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(name, wanted="numbers", found=f"values of type {array.dtype}")
    return array


def finite(name: str, values: ArrayLike) -> Floats:
    """`values` as float64 of shape (n,), n at least 1, without NaN and infinities."""
    array = vector(name, values).astype(np.float64, copy=False)
    _all_rows(name, array, np.isfinite(array), wanted="finite numbers")
    return array


def binary(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    """`values` as booleans of shape (n,); 0 and 1 in any numeric type are accepted."""
    array = finite(name, values)
    _all_rows(name, array, (array == 0) | (array == 1), wanted="0 or 1")
    is_one: NDArray[np.bool_] = array == 1
    return is_one


def weights(values: ArrayLike | None, rows: int) -> Floats:
    """Weights of shape (rows,): finite, not negative, with a positive sum. None means all 1."""
    if values is None:
        return np.ones(rows)
    array = finite("weight", values)
    same_rows("weight", array.size, rows)
    _all_rows("weight", array, array >= 0, wanted="weights of 0 or more")
    if not array.any():
        raise InvalidInput("weight", wanted="a positive sum", found="only zeros")
    # Only ratios of weights matter, and a largest weight of 1 keeps their sum from overflowing.
    scaled: Floats = array / array.max()
    return scaled


def same_rows(name: str, found: int, wanted: int) -> None:
    """Raise InvalidInput unless `name` has as many rows as the target."""
    if found != wanted:
        raise InvalidInput(name, wanted=f"{wanted} rows, as many as target", found=f"{found} rows")


def block_numbers(blocks: ArrayLike | None, rows: int) -> tuple[Integers, int]:
    """Each row's block as a number from 0, shape (rows,), and how many blocks there are.

    blocks  shape (rows,): ids of any one sortable type (integers, texts, dates) without missing
            values; rows of a block need not be adjacent. None makes each row a block of its own.
    """
    if blocks is None:
        return np.arange(rows, dtype=np.int64), rows
    ids = np.asarray(blocks)
    if ids.ndim != 1:
        raise InvalidInput("blocks", wanted="an array of shape (n,)", found=f"shape {ids.shape}")
    same_rows("blocks", ids.size, rows)
    _all_rows("blocks", ids, ~_missing(ids), wanted="a block id in every row")
    try:
        found, numbers = np.unique(ids, return_inverse=True)
    except TypeError as error:
        raise InvalidInput("blocks", wanted="ids of one sortable type", found="ids of mixed types") from error
    return numbers.astype(np.int64, copy=False), int(found.size)


def _missing(ids: NDArray[Any]) -> NDArray[np.bool_]:
    # A missing value is None or, as NaN and NaT are, unequal to itself.
    if ids.dtype.kind == "O":
        return np.array([one is None or one != one for one in ids], dtype=np.bool_)
    return np.asarray(ids != ids, dtype=np.bool_)


def _numbers(name: str, array: NDArray[Any]) -> Floats:
    """Objects (from a frame's column, say) as float64; None becomes NaN."""
    converted = np.empty(array.shape)
    for row, value in enumerate(array):
        try:
            converted[row] = np.nan if value is None else float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(name, wanted="numbers", found=f"{value!r} at index {row}") from error
    return converted


def _all_rows(name: str, array: NDArray[Any], good: NDArray[np.bool_], *, wanted: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(name, wanted=wanted, found=f"{array[row]} at index {row}")
