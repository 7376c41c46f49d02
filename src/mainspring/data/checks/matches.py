"""`ms.matches("plate", "[A-Z]{2}[0-9]+")`: the whole text has the form of a pattern.

Patterns are RE2's: like Python's, without look-around and back-references, and always linear in time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.data.checks.contract import RowCheck, Sql
from mainspring.data.model import Family
from mainspring.engines.query.contract import literal
from mainspring.kernel.errors import InvalidInput

_BEYOND_RE2 = re.compile(r"\(\?(=|!|<=|<!|P=|\()|\\[1-9]")


@dataclass(frozen=True)
class Matches(RowCheck):
    column: str
    pattern: str

    def __post_init__(self) -> None:
        subject = f"matches {self.column}"
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise InvalidInput(subject, wanted="a regular expression", found=f"{self.pattern!r}: {error}") from error
        if _BEYOND_RE2.search(self.pattern):
            raise InvalidInput(subject, wanted="no look-around or back-reference", found=repr(self.pattern))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def needs(self) -> Mapping[str, Family]:
        return {self.column: "text"}

    def describe(self) -> str:
        return f"{self.column} matches {self.pattern}"

    def fails(self, value: Sql) -> str:
        # "s": a dot stands for line ends too, so that one cannot smuggle in a second line.
        return f"NOT regexp_full_match({value(self.column)}, {literal(self.pattern)}, 's')"

    def reason(self, value: Sql) -> str:
        text = literal(f"{self.column}: wanted to match {self.pattern}, found '")
        return f"{text} || left({value(self.column)}, 80) || ''''"


matches = Matches
