"""Where things stand in a drawing: curves, graphs, intervals. Pure geometry; templates make SVG of it.

Everything is in the units of the drawing's own `width` and `height`. No text is turned into markup
here: names reach a page only through a template, which escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

CURVE_WIDTH, CURVE_HEIGHT = 320.0, 96.0
_INSET = 5.0
BOX_WIDTH, BOX_HEIGHT = 190.0, 50.0
_GAP_X, _GAP_Y, _EDGE = 56.0, 16.0, 8.0
_SWEEPS = 6
INTERVAL_WIDTH, INTERVAL_HEIGHT = 620.0, 112.0


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
    return 0.5 if high == low else (value - low) / (high - low)


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
    """A value on an axis, what it is called, and on which side of its line the words stand."""

    x: float
    value: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval on an axis that shows zero and the margin as well."""

    width: float
    height: float
    left: float
    right: float
    estimate: float
    zero: Mark
    margin: Mark | None
    ends: tuple[Mark, Mark]
    is_open: tuple[bool, bool]
    """Whether the interval has no end on the left, on the right."""


def interval(estimate: float, low: float, high: float, margin: float | None = None) -> Interval | None:
    """The drawing of an interval, ends possibly infinite; None where a number of it is NaN or the estimate infinite."""
    if any(math.isnan(value) for value in (estimate, low, high)) or math.isinf(estimate):
        return None
    shown = [estimate, 0.0, *(v for v in (low, high, margin) if v is not None and math.isfinite(v))]
    least, most = min(shown), max(shown)
    spare = (most - least or abs(most) or 1.0) * 0.12
    least, most = least - spare, most + spare

    def at(value: float) -> float:
        share = min(max((value - least) / (most - least), 0.0), 1.0)
        return _r(_INSET + share * (INTERVAL_WIDTH - 2 * _INSET))

    def mark(value: float, label: str) -> Mark:
        x = at(value)
        near = INTERVAL_WIDTH / 8
        return Mark(x, value, label, "start" if x < near else "end" if x > INTERVAL_WIDTH - near else "middle")

    return Interval(
        width=INTERVAL_WIDTH,
        height=INTERVAL_HEIGHT,
        left=at(low),
        right=at(high),
        estimate=at(estimate),
        zero=mark(0.0, "no difference"),
        margin=None if margin is None or not math.isfinite(margin) else mark(margin, "margin"),
        ends=(mark(low, ""), mark(high, "")),
        is_open=(math.isinf(low), math.isinf(high)),
    )


def _r(value: float) -> float:
    return round(value, 2)
