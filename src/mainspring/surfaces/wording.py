"""How pages say times, spans, sizes and numbers. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def moment(at: datetime) -> str:
    """A time as `2025-01-31 08:05:09 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(at: datetime, now: datetime) -> str:
    """How long before `now`, in one unit.

    >>> now = datetime(2025, 1, 2, tzinfo=UTC)
    >>> ago(now - timedelta(hours=3), now), ago(now, now), ago(now + timedelta(days=2), now)
    ('3 hours ago', 'just now', 'in 2 days')
    """
    seconds = (now - at).total_seconds()
    for size, name in _UNITS:
        count = int(abs(seconds) // size)
        if count:
            text = f"{count} {name}{'s' if count > 1 else ''}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now"


def span(length: timedelta | float) -> str:
    """A length of time, to two units; a number counts seconds.

    >>> span(0.0123), span(4.25), span(75), span(timedelta(hours=30, minutes=1))
    ('12 ms', '4.2 s', '1 min 15 s', '1 d 6 h')
    """
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    left = int(seconds)
    words: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count and len(words) < 2:
            words.append(f"{count} {unit}")
        elif words:
            break
    return " ".join(words)


def size(count: float) -> str:
    """Bytes in decimal units.

    >>> size(999), size(1_250_000)
    ('999 B', '1.2 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: Any) -> str:
    """A number to six places that matter; whole ones with a thin space between thousands.

    >>> number(0.123456789), number(1234567), number(float("nan")), number(-0.0)
    ('0.123457', '1\\u2009234\\u2009567', 'NaN', '0')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value + 0.0:.6g}".replace("-", "−", 1) if value < 0 else f"{value + 0.0:.6g}"


def percent(share: float) -> str:
    """A share, 0 to 1, as percent.

    >>> percent(0.00012), percent(0.5), percent(0)
    ('<0.1 %', '50 %', '0 %')
    """
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share * 100:.3g} %"


def text(value: Any) -> str:
    """Any value as one short line."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case datetime():
            return moment(value)
        case int() | float():
            return number(value)
        case Mapping() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
