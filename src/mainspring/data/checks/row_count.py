"""`ms.row_count(at_least=1000)`: so many good rows, or nothing is ingested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.data.checks.contract import TableCheck, Watch
from mainspring.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class RowCount(TableCheck):
    at_least: int = 0
    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.at_least < 0 or (self.at_most is not None and self.at_most < self.at_least):
            found = f"at_least={self.at_least}, at_most={self.at_most}"
            raise InvalidInput("row_count", wanted="0 <= at_least <= at_most", found=found)

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> str:
        top = "" if self.at_most is None else f" and at most {self.at_most:,}"
        return f"at least {self.at_least:,}{top} rows"

    def watch(self) -> Watch:
        return _Counted(self)


class _Counted(Watch):
    def __init__(self, check: RowCount) -> None:
        self._check, self._rows = check, 0

    def see(self, rows: pa.RecordBatch) -> None:
        self._rows += rows.num_rows

    def found(self) -> str | None:
        most = self._check.at_most
        holds = self._rows >= self._check.at_least and (most is None or self._rows <= most)
        return None if holds else f"{self._rows:,} good rows"


row_count = RowCount
