"""From a file to rows in tables: read, cast, check, keep the good and set the bad apart.

Nothing here decides whether a version exists; that is one row in the database, written by the
service. A kill at any point leaves files and table versions nobody refers to, and a rerun writes
the same files again.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from mainspring.data.checks.contract import TableCheck, Watch
from mainspring.data.definitions import Dataset
from mainspring.data.model import CheckResult, Column, Counts, FileEntry, VersionId, version_id
from mainspring.data.sources.contract import SOURCES, Source, SourceOptions, format_of
from mainspring.data.work.columns import ARROW, resolve
from mainspring.data.work.contents import Contents
from mainspring.data.work.judging import Judging, judging
from mainspring.data.work.profile import profile
from mainspring.engines.query.contract import Query
from mainspring.engines.tables.contract import DataFile, Tables
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput

SAMPLES = 5
TOP_REASONS = 10
QUARANTINE = pa.schema(
    [
        ("attempt", pa.string()),
        ("line", pa.int64()),
        ("reasons", pa.list_(pa.field("element", pa.string()))),
        ("values", pa.string()),
        ("text", pa.string()),
    ]
)
"""`values` is a JSON object of what stood in each column; `text` the record where it had no columns."""


@dataclass(frozen=True)
class Places:
    """Where an attempt works: its engines, its tables, a folder for what does not fit into memory."""

    tables: Tables
    query: Query
    table: str
    quarantine_table: str
    spool: Path


@dataclass(frozen=True)
class Outcome:
    """What an attempt found. With a `refusal` there are no rows, but counts, reasons and quarantine are told."""

    counts: Counts
    reasons: tuple[tuple[str, int], ...] = ()
    checks: tuple[CheckResult, ...] = ()
    quarantine_files: tuple[FileEntry, ...] = ()
    refusal: InvalidInput | None = None
    id: VersionId | None = None
    columns: tuple[Column, ...] = ()
    files: tuple[FileEntry, ...] = ()
    table_version: int = 0
    profile: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: str = ""


def read_into_tables(
    dataset: Dataset, path: Path, *, subject: str, previous: Sequence[Column], places: Places, attempt: str
) -> Outcome:
    """Read the file at `path` by the definition, into the tables of `places`.

    subject   the file's name, for messages.
    previous  the columns of the version before, whose types hold unless the definition says otherwise.
    """
    try:
        kind = format_of(dataset.source, dataset.format)
        source: Source = plugins.load(SOURCES, kind).open_source(
            path, SourceOptions(subject, dataset.encoding, dataset.delimiter)
        )
        readings = resolve(dataset, subject, source.columns, previous, source.reader(), places.query)
        plan = judging(dataset, readings)
    except InvalidInput as error:
        return Outcome(Counts(), refusal=error)
    with ExitStack() as stack:
        pass_ = _Pass(
            dataset, plan, [column.name for column in source.columns], source, subject, attempt, stack, places
        )
        return pass_.run(kind)


class _Refused(Exception):
    """Stops the table's writer: this attempt makes no version."""


class _Pass:
    """One pass over the judged rows."""

    def __init__(
        self,
        dataset: Dataset,
        plan: Judging,
        names: Sequence[str],
        source: Source,
        subject: str,
        attempt: str,
        stack: ExitStack,
        places: Places,
    ) -> None:
        self._dataset, self._plan, self._names, self._source = dataset, plan, names, source
        self._subject, self._attempt, self._places = subject, attempt, places
        self._schema = pa.schema([(column.name, ARROW[column.type]) for column in plan.kept])
        self._contents = Contents([column.type for column in plan.kept])
        self._bad = _BadRows(attempt, names, plan, places.spool, stack)
        self._watches: list[tuple[TableCheck, Watch]] = [
            (check, check.watch()) for check in dataset.checks if isinstance(check, TableCheck)
        ]
        self._good = 0
        self._refusal: InvalidInput | None = None

    def run(self, kind: str) -> Outcome:
        written = None
        with self._places.query.stream(self._plan.sql, {"rows": self._source.reader()}) as judged:
            good = pa.RecordBatchReader.from_batches(self._schema, self._good_rows(judged))
            try:
                written = self._places.tables.replace(
                    self._places.table, good, commit_info={"mainspring.attempt": self._attempt}
                )
            except _Refused:
                pass
            except InvalidInput as error:
                self._refusal = error
        outcome = Outcome(
            counts=self._counts(),
            reasons=tuple(self._bad.reasons.most_common(TOP_REASONS)),
            checks=(*self._bad.results(), *self._table_results()),
            quarantine_files=self._quarantined(),
            refusal=self._refusal,
            format=kind,
        )
        return outcome if written is None or self._refusal else self._with_rows(outcome, written.version, written.files)

    def _with_rows(self, outcome: Outcome, table_version: int, files: tuple[DataFile, ...]) -> Outcome:
        paths = self._places.tables.paths(self._places.table, files)
        return Outcome(
            **{
                **vars(outcome),
                "id": version_id(self._plan.kept, self._good, self._contents.digests()),
                "columns": self._plan.kept,
                "files": entries(files),
                "table_version": table_version,
                "profile": profile(self._places.query, paths, self._plan.kept),
            }
        )

    def _good_rows(self, judged: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in judged:
            reasons = batch.column("reasons")
            if reasons.null_count < batch.num_rows:
                self._bad.add(batch.filter(reasons.is_valid()))
                batch = batch.filter(reasons.is_null())
            rows = pa.RecordBatch.from_arrays(batch.columns[4:], schema=self._schema)
            self._good += rows.num_rows
            self._contents.see(rows)
            for _, watch in self._watches:
                watch.see(rows)
            yield rows
        self._refusal = self._objection()
        if self._refusal is not None:
            raise _Refused

    def _counts(self) -> Counts:
        return Counts(self._good + self._bad.rows, self._good, self._bad.rows, self._source.blank_lines)

    def _objection(self) -> InvalidInput | None:
        """Why these rows make no version, known only after the last one."""
        read, bad = self._good + self._bad.rows, self._bad.rows
        if read == 0:
            return InvalidInput(self._subject, wanted="a header line and rows", found="a header and no rows")
        if bad > self._dataset.max_quarantine * read:
            top = "; ".join(f"{reason} ({count:,})" for reason, count in self._bad.reasons.most_common(3))
            return InvalidInput(
                f"{self._subject} for dataset {self._dataset.name}",
                wanted=f"at most {self._dataset.max_quarantine:.1%} bad rows",
                found=f"{bad:,} of {read:,} ({bad / read:.1%}): {top}",
                fix=f"Correct the source or the definition; see `mainspring data quarantine {self._attempt}`.",
            )
        if self._good == 0:
            return InvalidInput(self._subject, wanted="at least one good row", found=f"{bad:,} bad ones")
        for check, watch in self._watches:
            if (found := watch.found()) is not None:
                return InvalidInput(
                    f"{self._subject} for dataset {self._dataset.name}", wanted=check.describe(), found=found
                )
        return None

    def _table_results(self) -> Iterator[CheckResult]:
        for check, watch in self._watches:
            found = watch.found()
            yield CheckResult(check.describe(), "pass" if found is None else "fail", 0, found or "")

    def _quarantined(self) -> tuple[FileEntry, ...]:
        rows = self._bad.reader()
        if rows is None:
            return ()
        written = self._places.tables.append(
            self._places.quarantine_table, rows, commit_info={"mainspring.attempt": self._attempt}
        )
        return entries(written.added)


class _BadRows:
    """Bad rows on their way to the quarantine: kept in a file, counted by rule and reason."""

    def __init__(self, attempt: str, names: Sequence[str], plan: Judging, spool: Path, stack: ExitStack) -> None:
        self._attempt, self._names, self._plan = attempt, names, plan
        self._spool, self._stack = spool, stack
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._failing: Counter[int] = Counter()
        self._samples: dict[int, list[Mapping[str, Any]]] = {}
        self.rows = 0
        self.reasons: Counter[str] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        rows = [self._row(row) for row in batch.select(["line", "text", "reasons", "stood"]).to_pylist()]
        if self._writer is None:
            self._spool.mkdir(parents=True, exist_ok=True)
            spool = tempfile.TemporaryFile(dir=self._spool)  # noqa: SIM115 - closed by the stack
            self._file = self._stack.enter_context(spool)
            self._writer = pa.ipc.new_stream(self._file, QUARANTINE)
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=QUARANTINE))
        self.rows += batch.num_rows

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        values = None if row["stood"] is None else dict(zip(self._names, row["stood"], strict=True))
        reasons = [reason for reason in row["reasons"] if reason is not None]
        for rule, reason in enumerate(row["reasons"]):
            if reason is None:
                continue
            self._failing[rule] += 1
            self._count(reason)
            samples = self._samples.setdefault(rule, [])
            if len(samples) < SAMPLES:
                samples.append({"line": row["line"], "reason": reason, "values": values, "text": row["text"]})
        return {
            "attempt": self._attempt,
            "line": row["line"],
            "reasons": reasons,
            "values": None if values is None else json.dumps(values, ensure_ascii=False),
            "text": row["text"],
        }

    def _count(self, reason: str) -> None:
        # A file of nothing but different mistakes must not fill the memory with them.
        if reason in self.reasons or len(self.reasons) < 10_000:
            self.reasons[reason] += 1

    def results(self) -> Iterator[CheckResult]:
        """Every check of the definition, and of the implied rules those that were broken."""
        for number, rule in enumerate(self._plan.rules):
            failing = self._failing[number]
            if rule.check is not None or failing:
                samples = tuple(self._samples.get(number, ()))
                yield CheckResult(rule.describe, "fail" if failing else "pass", failing, samples=samples)

    def reader(self) -> pa.RecordBatchReader | None:
        """The rows again, or None where there are none."""
        if self._writer is None or self._file is None:
            return None
        self._writer.close()
        self._file.seek(0)
        return pa.ipc.open_stream(self._file)


def entries(files: Sequence[DataFile]) -> tuple[FileEntry, ...]:
    return tuple(FileEntry(file.path, file.size_bytes, file.rows, file.sha256) for file in files)


def data_files(files: Sequence[FileEntry]) -> tuple[DataFile, ...]:
    return tuple(DataFile(file.path, file.size_bytes, file.rows, file.sha256) for file in files)
