"""Where things stand in drawings: nothing overlaps, nothing is lost, nothing lies outside."""

from __future__ import annotations

import math
import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.surfaces.drawings import BOX_HEIGHT, BOX_WIDTH, CURVE_HEIGHT, CURVE_WIDTH, Box, curve, graph, interval

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.e+-]+),(-?[\d.e+-]+)", path)]


@given(st.lists(numbers, max_size=200))
def test_a_curve_lies_inside_its_drawing_whatever_the_values(values):
    drawn = curve(list(enumerate(values)))
    finite = [value for value in values if math.isfinite(value)]
    assert (drawn is None) == (len(finite) < 2)
    if drawn is not None:
        placed = [corner for path in drawn.paths for corner in corners(path)] + list(drawn.dots)
        assert all(0 <= x <= CURVE_WIDTH and 0 <= y <= CURVE_HEIGHT for x, y in placed)
        assert (drawn.low, drawn.high) == (min(finite), max(finite))


def test_each_gap_divides_the_curve_and_a_lone_point_is_a_dot():
    nan = math.nan
    drawn = curve(list(enumerate([1.0, 2.0, nan, 3.0, math.inf, 2.0, 1.0])))
    assert drawn is not None
    assert (len(drawn.paths), len(drawn.dots)) == (2, 1)


def test_a_long_curve_is_thinned_without_losing_its_peak():
    values = [0.0] * 100_000
    values[54_321] = 1.0
    drawn = curve(list(enumerate(values)))
    assert drawn is not None
    placed = corners(drawn.paths[0])
    assert len(placed) < 5 * CURVE_WIDTH
    assert min(y for _, y in placed) == pytest.approx(5.0)


def test_a_constant_curve_is_level_in_the_middle():
    drawn = curve([(0, 3.0), (1, 3.0)])
    assert drawn is not None
    assert {y for _, y in corners(drawn.paths[0])} == {CURVE_HEIGHT / 2}


nodes = st.integers(1, 14)
graphs = nodes.flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
)


@given(graphs)
@settings(max_examples=200)
def test_boxes_of_a_graph_never_overlap_and_each_link_is_drawn_once(given_graph):
    count, links = given_graph
    named = [(str(a), str(b)) for a, b in links]
    drawn = graph([Box(str(i), f"box {i}") for i in range(count)], named)
    assert len(drawn.boxes) == count
    for a, b in combinations(drawn.boxes, 2):
        assert abs(a.x - b.x) >= BOX_WIDTH or abs(a.y - b.y) >= BOX_HEIGHT
    for placed in drawn.boxes:
        assert 0 <= placed.x <= drawn.width - BOX_WIDTH
        assert 0 <= placed.y <= drawn.height - BOX_HEIGHT
    assert len(drawn.links) == len({(a, b) for a, b in named if a != b})


@given(graphs)
def test_links_of_a_graph_without_circles_run_to_the_right(given_graph):
    count, links = given_graph
    named = [(str(min(a, b)), str(max(a, b))) for a, b in links if a != b]
    drawn = graph([Box(str(i), "") for i in reversed(range(count))], named)
    at = {placed.box.id: placed.x for placed in drawn.boxes}
    assert all(at[a] < at[b] for a, b in named)


def test_a_link_to_nothing_is_left_out_and_an_empty_graph_is_empty():
    assert graph([Box("a", "a")], [("a", "b"), ("a", "a")]).links == ()
    assert graph([], []).boxes == ()


@given(numbers, numbers, numbers, st.none() | numbers, st.booleans())
def test_an_interval_lies_inside_its_drawing_whatever_the_numbers(a, b, c, bound, has_zero):
    low, estimate, high = sorted((a, b, c)) if not any(map(math.isnan, (a, b, c))) else (a, b, c)
    drawn = interval(estimate, low, high, bound=bound, zero_label="zero" if has_zero else None)
    if drawn is None:
        shown = [low, estimate, high, *([] if bound is None else [bound])]
        assert not math.isfinite(estimate) or any(math.isnan(v) or abs(v) > 1e307 for v in shown)
        return
    for x in (drawn.left, drawn.estimate, drawn.right, *(mark.x for mark in drawn.marks)):
        assert 0 <= x <= drawn.width
    assert drawn.left <= drawn.estimate <= drawn.right


def test_an_interval_without_bounds_is_open_at_both_ends():
    drawn = interval(1.0, -math.inf, math.inf, bound=0.5)
    assert drawn is not None
    assert drawn.is_open == (True, True)


@pytest.mark.parametrize("huge", [1e308, 1.7e308, 1e-307])
def test_the_largest_and_smallest_numbers_break_no_drawing(huge):
    drawn = curve([(0, -huge), (1, huge), (2, 0.0)])
    assert drawn is not None
    assert [y for _, y in corners(drawn.paths[0])] == pytest.approx([CURVE_HEIGHT - 5, 5, CURVE_HEIGHT / 2])
    interval(huge, -huge, huge, bound=-huge)
    assert curve([(0, -5e-324), (1, 5e-324)]) is not None


def test_what_is_refused_lies_on_the_worse_side_of_the_bound():
    less, more = (interval(1.0, 0.5, 1.5, bound=2.0, is_better_below=below) for below in (True, False))
    assert less is not None
    assert more is not None
    assert less.refused is not None
    assert less.refused[0] == less.marks[-1].x
    assert sum(less.refused) == pytest.approx(less.width)
    assert more.refused == (0.0, more.marks[-1].x)


def test_words_of_near_marks_stand_in_rows_of_their_own():
    near, far = (interval(1.0, 0.9, 1.1, bound=bound) for bound in (0.01, 1.2))
    assert near is not None
    assert far is not None
    assert [mark.row for mark in near.marks] == [0, 1]
    assert [mark.row for mark in far.marks] == [0, 0]
