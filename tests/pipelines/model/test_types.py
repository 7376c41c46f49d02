from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.pipelines.model.types import described, flattened, is_jsonable, matches, rebuilt


class Color(Enum):
    red = "red"
    blue = "blue"


@dataclass(frozen=True)
class Point:
    x: float
    tags: tuple[str, ...] = ()
    inner: Point | None = None


class Pair(NamedTuple):
    a: int
    b: list[float]


KEEPS = [
    (1, int), (1, float), (1.5, float), ("a", str), (None, None), (None, int | None), ([1, 2], list[int]),
    ({"a": 1}, dict[str, int]), ((1, "a"), tuple[int, str]), ((1, 2, 3), tuple[int, ...]), ("a", Literal["a", "b"]),
    (Color.red, Color), (Point(1.0), Point), (pa.table({}), pa.Table), (object(), Any), (1, int | str),
    ({"a": 1}, Mapping[str, int]),
]  # fmt: skip
BREAKS = [
    (True, int), ("1", int), (1.5, int), (1, str), (None, int), ([1, "a"], list[int]), ({"a": "b"}, dict[str, int]),
    ((1,), tuple[int, str]), ("c", Literal["a", "b"]), ("red", Color), ({"x": 1.0}, Point), ([], pa.Table),
    (1.5, int | str),
]  # fmt: skip


@pytest.mark.parametrize(("value", "annotation"), KEEPS)
def test_values_that_keep_their_promise(value: Any, annotation: Any):
    assert matches(value, annotation)


@pytest.mark.parametrize(("value", "annotation"), BREAKS)
def test_values_that_break_it(value: Any, annotation: Any):
    assert not matches(value, annotation)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (pa.Table, "pyarrow.Table"),
        (list[float], "list[float]"),
        (float | None, "float | None"),
        (Literal["a", "b"], "Literal['a', 'b']"),
        (tuple[int, ...], "tuple[int, ...]"),
    ],
)
def test_annotations_are_said_as_they_are_written(annotation: Any, text: str):
    assert described(annotation) == text


@pytest.mark.parametrize("annotation", [pa.Table, object, list[pa.Table], dict[float, int], set[int], Any])
def test_what_json_cannot_hold_is_known_beforehand(annotation: Any):
    assert not is_jsonable(annotation)


ROUND = [
    (Point(1.0, ("a",), Point(2.0)), Point), (Pair(1, [1.0]), Pair), (Color.blue, Color), ({1: 2.0}, dict[int, float]),
    (datetime(2024, 1, 1, tzinfo=UTC), datetime), (date(2024, 1, 1), date), ([Point(1.0)], list[Point]),
    ((1, "a"), tuple[int, str]), (3, float | int), (None, Point | None), (Point(0.0), Point | None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "annotation"), ROUND)
def test_values_come_back_equal(value: Any, annotation: Any):
    assert is_jsonable(annotation)
    assert rebuilt(json.loads(json.dumps(flattened(value))), annotation) == value


def test_nan_survives_as_a_float():
    assert math.isnan(rebuilt(json.loads(json.dumps(flattened(math.nan))), float))


def test_keys_that_are_no_text_are_refused_without_a_type_that_restores_them():
    with pytest.raises(TypeError, match="key"):
        flattened({(1, 2): 3})


points = st.recursive(
    st.builds(Point, st.floats(allow_nan=False), st.lists(st.text()).map(tuple), st.none()),
    lambda inner: st.builds(Point, st.floats(allow_nan=False), st.lists(st.text()).map(tuple), inner),
    max_leaves=4,
)


@given(points)
def test_any_dataclass_comes_back_equal(point: Point):
    assert rebuilt(json.loads(json.dumps(flattened(point))), Point) == point
