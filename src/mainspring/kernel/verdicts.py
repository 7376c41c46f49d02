"""A judgement with its numbers. Its truth value is true only for a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """What a gate or judge found.

    check      what was judged, e.g. "mae against champion".
    outcome    pass, fail or inconclusive; "not enough evidence" is never a pass.
    reason     one sentence for a person.
    evidence   the numbers it rests on: estimate, low, high, margin, rows, and so on.

    >>> bool(Verdict("mae", "inconclusive", "the interval holds the margin"))
    False
    """

    check: str
    outcome: Outcome
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.outcome == "pass"
