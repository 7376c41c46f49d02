"""Where things stand in a drawing: curves, graphs, intervals. Pure geometry; templates make SVG of it.

Everything is in the units of the drawing's own `width` and `height`. No text is turned into markup
here: names reach a page only through a template, which escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

CURVE_WIDTH, CURVE_HEIGHT = 320.0, 96.0
_INSET = 5.0
BOX_WIDTH, BOX_HEIGHT = 172.0, 48.0
_GAP_X, _GAP_Y, _EDGE = 44.0, 14.0, 8.0
_SWEEPS = 6
INTERVAL_WIDTH = 620.0


@dataclass(frozen=True)
class Curve:
    """A line through points by `x`: one path for each stretch without a gap, a dot where one stands alone."""

    width: float
    height: float
    paths: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    low: float
    high: float
    first: float
    last: float


def curve(points: Sequence[tuple[float, float]]) -> Curve | None:
    """The drawing of (x, y) points in order of x; None where fewer than two values are finite.

    A value that is NaN or infinite leaves a gap. More points than columns are drawn by the least
    and greatest of each column, so that no peak is lost.
    """
    finite = [y for _, y in points if math.isfinite(y)]
    if len(finite) < 2:
        return None
    xs = [x for x, _ in points]
    left, right, low, high = min(xs), max(xs), min(finite), max(finite)
    paths, dots = [], []
    for stretch in _stretches(points):
        placed = [
            (
                _INSET + _share(x, left, right) * (CURVE_WIDTH - 2 * _INSET),
                CURVE_HEIGHT - _INSET - _share(y, low, high) * (CURVE_HEIGHT - 2 * _INSET),
            )
            for x, y in stretch
        ]
        kept = _thinned(placed)
        if len(kept) == 1:
            dots.append((_r(kept[0][0]), _r(kept[0][1])))
        else:
            paths.append("M" + "L".join(f"{_r(x)},{_r(y)}" for x, y in kept))
    return Curve(CURVE_WIDTH, CURVE_HEIGHT, tuple(paths), tuple(dots), low, high, left, right)


def _stretches(points: Sequence[tuple[float, float]]) -> Iterable[list[tuple[float, float]]]:
    stretch: list[tuple[float, float]] = []
    for x, y in points:
        if math.isfinite(y):
            stretch.append((x, y))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _thinned(placed: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most the first, least, greatest and last point of each column one unit wide, in their order."""
    if len(placed) <= 2 * CURVE_WIDTH:
        return placed
    columns: dict[int, list[int]] = {}
    for index, (x, _) in enumerate(placed):
        columns.setdefault(int(x), []).append(index)
    kept: set[int] = set()
    for indices in columns.values():
        kept |= {indices[0], indices[-1]}
        kept |= {min(indices, key=lambda i: placed[i][1]), max(indices, key=lambda i: placed[i][1])}
    return [placed[index] for index in sorted(kept)]


def _share(value: float, low: float, high: float) -> float:
    # In halves: the distance between two finite numbers may be infinite. Half the least one is zero.
    width = high / 2 - low / 2
    return (value / 2 - low / 2) / width if width else 0.5


@dataclass(frozen=True)
class Box:
    """A node of a graph: what it says, how it looks (a status, or empty), where it leads."""

    id: str
    title: str
    note: str = ""
    look: str = ""
    href: str = ""


@dataclass(frozen=True)
class PlacedBox:
    box: Box
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """Boxes in columns, each right of everything it comes after, and the curved links between them."""

    width: float
    height: float
    boxes: tuple[PlacedBox, ...]
    links: tuple[str, ...]
    """Path data, each from the right side of its source to the left side of its target."""


def graph(boxes: Sequence[Box], links: Iterable[tuple[str, str]]) -> Graph:
    """A layered drawing of a directed graph: links point from left to right.

    A link to an unknown id or to itself is left out; where links run in a circle, the one that
    closes it is drawn backward. Method: longest-path layering, barycenter sweeps with a place for
    each link in each column it passes (K. Sugiyama et al. (1981), IEEE Trans. SMC 11, 109-125).
    """
    known = {box.id: box for box in boxes}
    kept = [(a, b) for a, b in dict.fromkeys(links) if a in known and b in known and a != b]
    layer = _layers(list(known), kept)
    routes = {link: _route(link, layer) for link in kept}
    columns = _ordered(list(known), layer, routes)
    tallest = max((len(column) for column in columns), default=0)
    height = 2 * _EDGE + max(tallest * (BOX_HEIGHT + _GAP_Y) - _GAP_Y, BOX_HEIGHT)
    place: dict[str, tuple[float, float]] = {}
    for index, column in enumerate(columns):
        top = (height - (len(column) * (BOX_HEIGHT + _GAP_Y) - _GAP_Y)) / 2
        for row, id in enumerate(column):
            place[id] = (_EDGE + index * (BOX_WIDTH + _GAP_X), top + row * (BOX_HEIGHT + _GAP_Y))
    width = 2 * _EDGE + max(len(columns) * (BOX_WIDTH + _GAP_X) - _GAP_X, BOX_WIDTH)
    return Graph(
        width=width,
        height=height,
        boxes=tuple(PlacedBox(box, _r(place[id][0]), _r(place[id][1])) for id, box in known.items()),
        links=tuple(_path([place[id] for id in routes[link]]) for link in kept),
    )


def _layers(ids: list[str], links: list[tuple[str, str]]) -> dict[str, int]:
    """Column of each id: one more than the furthest of those before it."""
    before: dict[str, list[str]] = {id: [] for id in ids}
    for source, target in links:
        before[target].append(source)
    layer: dict[str, int] = {}
    waiting: set[str] = set()
    for start in ids:
        stack = [start]
        while stack:
            id = stack[-1]
            waiting.add(id)
            # One that waits already closes a circle; it is not waited for.
            missing = [other for other in before[id] if other not in layer and other not in waiting]
            if missing:
                stack.extend(missing[:1])
                continue
            stack.pop()
            waiting.discard(id)
            layer[id] = max((layer[other] + 1 for other in before[id] if other in layer), default=0)
    return layer


def _route(link: tuple[str, str], layer: Mapping[str, int]) -> list[str]:
    """The link's ends and, between them, a place of its own in each column it passes."""
    source, target = link
    between = range(layer[source] + 1, layer[target])
    return [source, *(f"{source}\0{target}\0{column}" for column in between), target]


def _ordered(ids: list[str], layer: Mapping[str, int], routes: Mapping[tuple[str, str], list[str]]) -> list[list[str]]:
    """Ids by column, each column in an order with few crossings."""
    columns: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for id in ids:
        columns[layer[id]].append(id)
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for (source, _), route in routes.items():
        for step, id in enumerate(route[1:-1], 1):
            columns[layer[source] + step].append(id)
        for a, b in pairwise(route):
            left.setdefault(b, []).append(a)
            right.setdefault(a, []).append(b)
    for sweep in range(_SWEEPS):
        beside = left if sweep % 2 == 0 else right
        rank = {id: row / max(len(column), 1) for column in columns for row, id in enumerate(column)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            means = {id: _mean([rank[o] for o in beside.get(id, ())], rank[id]) for id in column}
            column.sort(key=means.__getitem__)
            rank |= {id: row / len(column) for row, id in enumerate(column)}
    return columns


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _path(corners: list[tuple[float, float]]) -> str:
    """A smooth line from the first box's right side to the last one's left, level where it passes a column."""
    x, y = corners[0]
    x, y = x + BOX_WIDTH, y + BOX_HEIGHT / 2
    parts = [f"M{_r(x)},{_r(y)}"]
    for index, corner in enumerate(corners[1:], 1):
        to_x, to_y = corner[0], corner[1] + BOX_HEIGHT / 2
        bend = max(abs(to_x - x) / 2, 12.0)
        parts.append(f"C{_r(x + bend)},{_r(y)} {_r(to_x - bend)},{_r(to_y)} {_r(to_x)},{_r(to_y)}")
        if index < len(corners) - 1:
            to_x += BOX_WIDTH
            parts.append(f"H{_r(to_x)}")
        x, y = to_x, to_y
    return "".join(parts)


@dataclass(frozen=True)
class Mark:
    """A line across an interval's drawing: its value, what it is called, on which side the words stand.

    row  0 or, where the words of another mark are in the way, 1.
    """

    x: float
    value: float
    label: str
    anchor: str
    is_bound: bool
    row: int = 0


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; the bound it is held against, and zero where that means something.

    rows  of words above and below; the plot lies between.
    """

    width: float
    rows: int
    left: float
    right: float
    estimate: float
    value: Mark
    """Where the estimate's number is written."""
    marks: tuple[Mark, ...]
    refused: tuple[float, float] | None
    """(x, width) of the side of the bound on which an interval fails."""
    is_open: tuple[bool, bool]
    """Whether the interval has no end on the left, on the right."""


def interval(
    estimate: float,
    low: float,
    high: float,
    *,
    bound: float | None = None,
    bound_label: str = "margin",
    zero_label: str | None = "no difference",
    is_better_below: bool = True,
) -> Interval | None:
    """The drawing of an interval, its ends possibly infinite. None where there is no finite estimate,
    or numbers so large that there is no axis for them.

    zero_label  what zero is called; None where zero has no meaning and need not be shown.
    """
    if not math.isfinite(estimate) or math.isnan(low) or math.isnan(high):
        return None
    bound = bound if bound is not None and math.isfinite(bound) else None
    shown = [estimate, *(v for v in (low, high, bound) if v is not None and math.isfinite(v))]
    shown += [0.0] if zero_label else []
    least, most = min(shown), max(shown)
    spare = (most - least or abs(most) or 1.0) * 0.12
    if not math.isfinite(least - spare) or not math.isfinite(most + spare):
        return None
    least, most = least - spare, most + spare

    def at(value: float) -> float:
        share = min(max(_share(value, least, most), 0.0), 1.0)
        return _r(_INSET + share * (INTERVAL_WIDTH - 2 * _INSET))

    named = [(0.0, zero_label, False)] if zero_label and at(0.0) != (None if bound is None else at(bound)) else []
    named += [] if bound is None else [(bound, bound_label, True)]
    marks = _apart([Mark(at(v), v, label, _anchor(at(v)), is_bound) for v, label, is_bound in sorted(named)])
    edge = None if bound is None else at(bound)
    below = None if edge is None else (0.0, edge)
    above = None if edge is None else (edge, _r(INTERVAL_WIDTH - edge))
    return Interval(
        width=INTERVAL_WIDTH,
        rows=1 + max((mark.row for mark in marks), default=0),
        left=at(low),
        right=at(high),
        estimate=at(estimate),
        value=Mark(at(estimate), estimate, "", _anchor(at(estimate)), False),
        marks=marks,
        refused=above if is_better_below else below,
        is_open=(math.isinf(low), math.isinf(high)),
    )


_WORDS = 130.0
"""Room that a mark's words take, about."""


def _anchor(x: float) -> str:
    return "start" if x < _WORDS / 2 else "end" if x > INTERVAL_WIDTH - _WORDS / 2 else "middle"


def _apart(marks: list[Mark]) -> tuple[Mark, ...]:
    """Of two marks so near that their words would overlap, the second writes them in a row of its own."""
    if len(marks) == 2 and marks[1].x - marks[0].x < _WORDS:
        return (marks[0], replace(marks[1], row=1))
    return tuple(marks)


def _r(value: float) -> float:
    return round(value, 2)
