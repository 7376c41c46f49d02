"""CSV and its kin: text with a header line, values split by a delimiter and quoted by double quotes.

Everything is read as text, each record with the line it begins on; what the values are is decided
later. pyarrow splits the records: it streams, and it hands over records of the wrong length instead
of failing or repairing them. Python's `csv` reads the header, and finds a quote that is never closed.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mainspring.data.sources.contract import (
    Source,
    SourceColumn,
    SourceOptions,
    checked_names,
    record_schema,
)
from mainspring.kernel.errors import InvalidInput

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
BLOCK_BYTES = 8 << 20
"""Also the longest record that can be read."""
_DELIMITERS = ",;\t|"
_CHUNK = 1 << 20
_TEXT_KEPT = 2000


def open_source(path: Path, options: SourceOptions) -> Source:
    return CsvSource(path, options)


@dataclass(frozen=True)
class _Survey:
    """What one pass over the whole text tells."""

    quotes: int
    characters: int


class CsvSource(Source):
    def __init__(self, path: Path, options: SourceOptions) -> None:
        self._path, self._subject = path, options.subject
        self._encoding = _python_encoding(options)
        survey = _survey(path, self._subject, self._encoding)
        self._has_quotes = survey.quotes > 0
        header, self._header_lines, self._delimiter = self._header(options.delimiter)
        names = [name.strip() or f"column_{place}" for place, name in enumerate(header, 1)]
        checked_names(self._subject, names)
        self.columns = tuple(SourceColumn(name, None) for name in names)
        self._unclosed_from = self._unclosed_quote() if survey.quotes % 2 else None

    def _header(self, given: str | None) -> tuple[list[str], int, str]:
        """The first record that is not empty, the lines up to its end, and the delimiter."""
        with self._path.open(encoding=self._encoding, newline="") as file:
            line = next((line for line in file if line.strip()), None)
        if line is None:
            raise _empty(self._subject, "only blank lines")
        delimiter = given or _sniffed(line)
        with self._path.open(encoding=self._encoding, newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            try:
                header = next(row for row in rows if row and any(value.strip() for value in row))
            except (csv.Error, StopIteration) as error:
                raise InvalidInput(f"header of {self._subject}", wanted="column names", found=str(error)) from error
        return header, rows.line_num, delimiter

    def batches(self) -> Iterator[pa.RecordBatch]:
        self.blank_lines = 0
        records = _Records(len(self.columns), first_line=self._header_lines + 1)
        names = [f"c{i}" for i in range(len(self.columns))]
        try:
            reader = pa.csv.open_csv(
                self._path,
                # One thread: only then does pyarrow say which record a bad one is.
                pa.csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=names,
                    skip_rows=self._header_lines,
                    encoding=self._encoding.removesuffix("-sig"),
                ),
                pa.csv.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=self._has_quotes,
                    # Blank lines are counted here, or line numbers would be wrong after them.
                    ignore_empty_lines=False,
                    invalid_row_handler=records.reject,
                ),
                pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
            )
            for batch in reader:
                yield self._finished(records.placed(batch, count_newlines=self._has_quotes))
        except pa.ArrowInvalid as error:
            # What pyarrow says of a file that ends with its header.
            if not any(text in str(error) for text in ("Empty CSV file", "Could not skip initial")):
                raise self._unreadable(error) from error
        yield self._finished(records.rest())

    def _finished(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Without blank lines; with the record whose quote is never closed marked as broken."""
        if self._unclosed_from is not None:
            rows = _marked_unclosed(rows, self._unclosed_from)
        filled = rows.column("broken").is_valid()
        for i in range(len(self.columns)):
            if pc.all(filled).as_py() is not False:
                return rows
            filled = pc.or_(filled, pc.not_equal(pc.fill_null(rows.column(f"c{i}"), ""), ""))
        kept = rows.filter(filled)
        self.blank_lines += rows.num_rows - kept.num_rows
        return kept

    def _unclosed_quote(self) -> int | None:
        """The line on which a record begins whose quote is never closed, if there is one."""
        with self._path.open(encoding=self._encoding, newline="") as file:
            rows = csv.reader(file, delimiter=self._delimiter, strict=True)
            begins = 1
            try:
                for _ in rows:
                    begins = rows.line_num + 1
            except csv.Error as error:
                # Other complaints (text after a closing quote) are no business of this search.
                return begins if "unexpected end" in str(error) or "field limit" in str(error) else None
        return None

    def _unreadable(self, error: Exception) -> InvalidInput:
        found = str(error).partition("\n")[0]
        if "straddling" in found:
            where = f", from line {self._unclosed_from}" if self._unclosed_from else ""
            found = f"a record longer than {BLOCK_BYTES >> 20} MiB, or a quote that is never closed{where}"
        return InvalidInput(self._subject, wanted="a CSV file", found=found)


class _Records:
    """Gives each record its line, and puts those pyarrow refused back between those it took."""

    def __init__(self, columns: int, *, first_line: int) -> None:
        self._columns = columns
        self._schema = record_schema([pa.string()] * columns)
        self._first = first_line
        self._next = 0
        self._newlines = 0
        self._refused: list[tuple[int, int, str]] = []

    def reject(self, row: Any) -> str:
        """pyarrow calls this for each record of the wrong length, ahead of the batch around it."""
        self._refused.append((row.number - self._first, row.actual_columns, row.text))
        return "skip"

    def placed(self, batch: pa.RecordBatch, *, count_newlines: bool) -> pa.RecordBatch:
        """The batch's records and the refused ones among them, in order, each with its line."""
        refused = np.array([index for index, _, _ in self._refused], dtype=np.int64)
        span = np.arange(self._next, self._next + batch.num_rows + len(refused), dtype=np.int64)
        taken = span[~np.isin(span, refused)][: batch.num_rows]
        end = int(taken[-1]) + 1 if batch.num_rows else self._next
        among = [item for item in self._refused if item[0] < end]
        self._refused = [item for item in self._refused if item[0] >= end]
        rows = pa.RecordBatch.from_arrays(
            [pa.array(taken), *[pa.nulls(batch.num_rows, pa.string())] * 2, *batch.columns], schema=self._schema
        )
        if among:
            rows = self._merged(rows, among)
        self._next = end
        return self._with_lines(rows, count_newlines=count_newlines)

    def rest(self) -> pa.RecordBatch:
        """The refused records after the last one taken."""
        among, self._refused = self._refused, []
        return self._with_lines(self._merged(self._schema.empty_table().to_batches()[0:1], among), count_newlines=True)

    def _merged(self, rows: pa.RecordBatch | list[pa.RecordBatch], among: list[tuple[int, int, str]]) -> pa.RecordBatch:
        texts = [text for _, _, text in among]
        broken = [f"expected {self._columns} values, found {actual}" for _, actual, _ in among]
        nothing = pa.nulls(len(among), pa.string())
        bad = pa.RecordBatch.from_arrays(
            [
                pa.array([index for index, _, _ in among], pa.int64()),
                pa.array(broken, pa.string()),
                pa.array(texts, pa.string()),
                *[nothing] * self._columns,
            ],
            schema=self._schema,
        )
        parts = rows if isinstance(rows, list) else [rows]
        table = pa.Table.from_batches([*parts, bad], schema=self._schema).sort_by("line").combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self._schema)

    def _with_lines(self, rows: pa.RecordBatch, *, count_newlines: bool) -> pa.RecordBatch:
        """Replace the record's index by its line: a record with line ends inside moves all later ones down."""
        line = rows.column("line").to_numpy() + self._first
        if count_newlines and rows.num_rows:
            inside = np.zeros(rows.num_rows, dtype=np.int64)
            for column in rows.columns[2:]:
                inside += pc.fill_null(pc.count_substring(column, "\n"), 0).to_numpy(zero_copy_only=False)
            after = self._newlines + np.cumsum(inside)
            line = line + after - inside
            self._newlines = int(after[-1])
        return pa.RecordBatch.from_arrays([pa.array(line), *rows.columns[1:]], schema=self._schema)


def _marked_unclosed(rows: pa.RecordBatch, begins: int) -> pa.RecordBatch:
    hit = pc.greater_equal(rows.column("line"), begins)
    if not pc.any(hit).as_py():
        return rows
    values = rows.columns[3:]
    joined = pc.binary_join_element_wise(*[pc.fill_null(value, "") for value in values], ",")
    text = pc.utf8_slice_codeunits(pc.coalesce(rows.column("text"), joined), 0, _TEXT_KEPT)
    reason = "a quote opened in this row is never closed: the file may be cut off"
    changed = [
        rows.column("line"),
        pc.if_else(hit, pa.scalar(reason), rows.column("broken")),
        pc.if_else(hit, text, rows.column("text")),
        *(pc.if_else(hit, pa.scalar(None, pa.string()), value) for value in values),
    ]
    return pa.RecordBatch.from_arrays(changed, schema=rows.schema)


def _python_encoding(options: SourceOptions) -> str:
    try:
        name = codecs.lookup(options.encoding).name
    except LookupError as error:
        raise InvalidInput(
            f"encoding of {options.subject}", wanted="one that Python knows", found=repr(options.encoding)
        ) from error
    # Excel puts a byte order mark in front, which is not part of the first column's name.
    return "utf-8-sig" if name == "utf-8" else name


def _survey(path: Path, subject: str, encoding: str) -> _Survey:
    """Decode the whole file once. Raises InvalidInput where it is empty or not in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    quotes = characters = offset = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                _wrong_encoding(path, subject, encoding, offset - pending + error.start, error)
            quotes += text.count('"')
            characters += len(text)
            offset += len(chunk)
            if not chunk:
                break
    if characters == 0:
        raise _empty(subject, "an empty file")
    return _Survey(quotes, characters)


def _wrong_encoding(path: Path, subject: str, encoding: str, offset: int, error: UnicodeDecodeError) -> NoReturn:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        line = sum(chunk.count(b"\n") for chunk in _up_to(file, offset)) + 1
        file.seek(offset)
        byte = file.read(1)
    likely = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
    raise InvalidInput(
        subject,
        wanted=f"text in {encoding.removesuffix('-sig')}",
        found=f"byte 0x{byte.hex() or 'end of file'} at offset {offset} (line {line})",
        fix=f'If the file is in {likely}, say encoding="{likely}" in the dataset.',
    ) from error


def _up_to(file: Any, offset: int) -> Iterator[bytes]:
    while offset > 0 and (chunk := file.read(min(_CHUNK, offset))):
        offset -= len(chunk)
        yield chunk


def _sniffed(header: str) -> str:
    """The delimiter that splits the header into most names; a comma where none does."""
    counts = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: counts[mark])


def _empty(subject: str, found: str) -> InvalidInput:
    return InvalidInput(subject, wanted="a header line and rows", found=found)
