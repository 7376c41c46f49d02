"""The one query that reads, casts and checks every row.

    rows     what the source gave: line, broken, text, c0, c1, …
    present  t0, t1, …: the same with marks for "no value" as NULL
    typed    v0, v1, …: values of the columns' types, NULL where the text is none
    timed    and the event time
    judged   b0, b1, …: per rule, whether the row breaks it
    result   line, text, the kept values; for a bad row also the reason per rule and what stood there

Every name a user chose stays out of the SQL: columns go by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.data.checks.contract import RowCheck
from mainspring.data.definitions import Dataset, Time
from mainspring.data.model import EVENT_TIME, Column
from mainspring.data.work.columns import IN_WORDS, Reading, cast, present
from mainspring.engines.query.contract import literal
from mainspring.kernel.errors import InvalidInput

_SHOWN = 80
_TIME = "v_time"


@dataclass(frozen=True)
class Rule:
    """A condition that bad rows fulfil, and an SQL text of why; `check` where a definition's check made it."""

    describe: str
    breaks: str
    reason: str
    check: RowCheck | None = None


@dataclass(frozen=True)
class Judging:
    """The query and how to read its result: `kept` columns come under their position, `rules` in the list."""

    sql: str
    kept: tuple[Column, ...]
    rules: tuple[Rule, ...]


def judging(dataset: Dataset, readings: Sequence[Reading]) -> Judging:
    """The query for a dataset whose columns are read as `readings`."""
    values = {reading.name: reading.value for reading in readings}
    kept = [reading for reading in readings if reading.name not in dataset.drop]
    columns = [Column(reading.name, reading.type) for reading in kept]
    shown = [reading.value for reading in kept]
    if dataset.time is not None:
        if EVENT_TIME in values:
            found = "one in the source"
            raise InvalidInput(f"column {EVENT_TIME}", wanted="a name of its own for time=", found=found)
        values[EVENT_TIME] = _TIME
        columns.append(Column(EVENT_TIME, "timestamp"))
        shown.append(_TIME)
    if not columns:
        raise InvalidInput(f"dataset {dataset.name}", wanted="a column to keep", found="all dropped")
    rules = _rules(dataset, readings, values)
    time = _moment(dataset.time, values) if dataset.time else "NULL"
    return Judging(_sql(dataset, readings, shown, rules, time), tuple(columns), rules)


def _sql(dataset: Dataset, readings: Sequence[Reading], shown: Sequence[str], rules: Sequence[Rule], time: str) -> str:
    raws = ", ".join(
        f"{present(r.position, dataset.missing) if r.text else f'c{r.position}'} AS {r.raw}" for r in readings
    )
    typed = ", ".join(f"{cast(r)} AS {r.value}" for r in readings)
    broken = ", ".join(f"coalesce({rule.breaks}, FALSE) AS b{i}" for i, rule in enumerate(rules))
    is_bad = f"({' OR '.join(f'b{i}' for i in range(len(rules)))})"
    reasons = ", ".join(
        f"CASE WHEN b{i} THEN coalesce({rule.reason}, {literal(rule.describe)}) END" for i, rule in enumerate(rules)
    )
    stood = ", ".join(f"CAST(c{r.position} AS VARCHAR)" for r in readings)
    order = "ORDER BY line" if any(rule.check and rule.check.sees_other_rows for rule in rules) else ""
    return f"""
        WITH present AS (SELECT *, {raws} FROM rows),
        typed AS (SELECT *, {typed} FROM present),
        timed AS (SELECT *, {time} AS {_TIME} FROM typed),
        judged AS (SELECT *, {broken} FROM timed)
        SELECT line, text,
            CASE WHEN {is_bad} THEN [{reasons}] END AS reasons,
            CASE WHEN {is_bad} AND broken IS NULL THEN [{stood}] END AS stood,
            {", ".join(f"{value} AS k{i}" for i, value in enumerate(shown))}
        FROM judged {order}
    """


def _rules(dataset: Dataset, readings: Sequence[Reading], values: dict[str, str]) -> tuple[Rule, ...]:
    rules = [Rule("the row has a value for each column", "broken IS NOT NULL", "broken")]
    for reading in readings:
        if (reading.text and reading.type != "text") or reading.type == "number":
            rules.append(_of_its_type(reading))
    if dataset.time is not None:
        rules += _has_time(dataset.time, readings, values)
    for check in dataset.checks:
        if isinstance(check, RowCheck):
            lookup = values.__getitem__
            breaks = f"broken IS NULL AND ({check.fails(lookup)})"
            rules.append(Rule(check.describe(), breaks, check.reason(lookup), check))
    return tuple(rules)


def _of_its_type(reading: Reading) -> Rule:
    wanted = IN_WORDS[reading.type]
    text = literal(f"{reading.name}: wanted {wanted}, found '")
    return Rule(
        f"{reading.name} is {wanted}",
        f"{reading.raw} IS NOT NULL AND {reading.value} IS NULL",
        f"{text} || left(CAST({reading.raw} AS VARCHAR), {_SHOWN}) || ''''",
    )


def _has_time(time: Time, readings: Sequence[Reading], values: dict[str, str]) -> list[Rule]:
    """A row without a time is bad; where a part is not of its type, the rule for that says so already."""
    raws = {reading.name: reading.raw for reading in readings}
    rules = [
        Rule(
            f"{EVENT_TIME} has {name}",
            f"broken IS NULL AND {raws[name]} IS NULL",
            literal(f"{EVENT_TIME}: {name} is null"),
        )
        for name in dict.fromkeys(time.columns)
    ]
    parts = " AND ".join(f"{values[name]} IS NOT NULL" for name in time.columns)
    beyond = literal(f"{EVENT_TIME}: beyond the years a time can have")
    return [*rules, Rule(f"{EVENT_TIME} is a time", f"{parts} AND {_TIME} IS NULL", beyond)]


def _moment(time: Time, values: dict[str, str]) -> str:
    """SQL of the event time: microseconds added up in 64 bit, NULL beyond years 1 to 9999."""
    unit_us = {"days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000, "seconds": 1_000_000}
    start = values[time.start.column]
    micros = [f"epoch_us(CAST({start} AS TIMESTAMP))" if time.start.kind == "date" else f"epoch_us({start})"]
    for span in time.spans:
        micros.append(f"TRY_CAST(round({values[span.column]} * {unit_us[span.kind]}::DOUBLE) AS BIGINT)")
    total = " + ".join(f"CAST({part} AS HUGEINT)" for part in micros)
    first, last = -62_135_596_800_000_000, 253_402_300_799_999_999
    return (
        f"CASE WHEN {total} BETWEEN {first} AND {last} "
        f"THEN to_timestamp(0) + to_microseconds(CAST({total} AS BIGINT)) END"
    )
