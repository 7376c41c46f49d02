"""From a file to a version, by the service."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.data import definitions as ms
from mainspring.engines.ledger import events as ledger
from mainspring.kernel.errors import InvalidInput, NotFound, NotPermitted, SchemaMismatch
from mainspring.kernel.principals import Principal, Role
from tests.data.conftest import BIKES, simple

BIKE_DEMAND = ms.dataset(
    "bike_demand",
    source=str(BIKES),
    time=ms.date("dteday") + ms.hours("hr"),
    drop=["casual", "registered", "instant"],
    checks=[ms.not_null("cnt"), ms.between("temp", 0, 1), ms.row_count(at_least=1000)],
)


def rows_of(engines, data, owner, reference):
    manifest = data.manifest(owner, reference)
    return engines.tables.read(manifest["table"], data.files(owner, reference))


def types_of(data, owner, reference):
    return {column["name"]: column["type"] for column in data.manifest(owner, reference)["columns"]}


def kinds(engines, owner):
    with engines.sql.read() as connection:
        return [event.kind for event in ledger.read(connection, owner.project) if event.kind.startswith("data.")]


def test_bike_hire_becomes_a_version_with_times_types_and_a_profile(engines, data, owner, ingest):
    told = ingest(BIKE_DEMAND, BIKES.read_bytes(), "hour.csv")
    assert (told.version.reference, told.added, told.counts.quarantined) == ("bike_demand@1", 17_379, 0)
    table = rows_of(engines, data, owner, "bike_demand")
    assert table.num_rows == 17_379
    assert "casual" not in table.column_names
    times = table.column("event_time")
    assert times[0].as_py() == datetime(2011, 1, 1, tzinfo=UTC)
    assert times[-1].as_py() == datetime(2012, 12, 31, 23, tzinfo=UTC)
    manifest = data.manifest(owner, "bike_demand@1")
    assert types_of(data, owner, "bike_demand@1")["temp"] == "number"
    assert manifest["profile"]["cnt"]["mean"] == pytest.approx(189.463, abs=1e-3)
    assert manifest["profile"]["cnt"]["max"] == 977
    assert manifest["profile"]["season"] | {"mean": 0, "std": 0} == {
        "nulls": 0, "distinct": 4, "min": 1, "max": 4, "mean": 0, "std": 0
    }  # fmt: skip
    assert [check["outcome"] for check in manifest["checks"]] == ["pass"] * 3
    assert manifest["source"] == {
        "name": "hour.csv",
        "fingerprint": hashlib.sha256(BIKES.read_bytes()).hexdigest(),
        "size_bytes": BIKES.stat().st_size,
        "format": "csv",
    }
    assert kinds(engines, owner) == ["data.dataset.applied", "data.version.ingested"]


def test_ingesting_twice_adds_nothing(engines, data, owner, ingest):
    first = ingest(simple(), "a\n1\n2\n")
    again = ingest(simple(), "a\n1\n2\n")
    assert (again.version, again.added) == (first.version, 0)
    assert again.counts == first.counts
    assert len(data.versions(owner, "t")) == 1
    assert kinds(engines, owner).count("data.version.ingested") == 1


def test_the_same_rows_from_other_bytes_are_the_same_version(engines, data, owner, ingest):
    first = ingest(simple(), "a,b\n1,x\n2,\n")
    again = ingest(simple(), 'a,b\r\n"1","x"\r\n2,""\r\n')
    assert (again.version, again.added) == (first.version, 0)
    assert kinds(engines, owner)[-1] == "data.source.recognized"
    assert [attempt.outcome for attempt in data.attempts(owner, "t")] == ["known", "ingested"]


def test_the_same_rows_in_another_dataset_have_the_same_id(ingest):
    first = ingest(simple(), "a\n1\n")
    other = ingest(ms.dataset("u", source="u.csv"), "a\n1\n")
    assert other.version.id == first.version.id
    assert other.version.reference == "u@1"


def test_one_changed_byte_gives_a_new_version_with_a_new_id(data, owner, ingest):
    content = BIKES.read_bytes()
    first = ingest(BIKE_DEMAND, content)
    changed = content.replace(b",0.81,0,3,13,16", b",0.81,0,3,13,17", 1)
    assert sum(a != b for a, b in zip(content, changed, strict=True)) == 1
    second = ingest(BIKE_DEMAND, changed)
    assert second.version.id != first.version.id
    assert [version.number for version in data.versions(owner, "bike_demand")] == [2, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a,b\n1,\n", "a,b\n,1\n"),
        ("a\nx\ny\n", "a\ny\nx\n"),
        ("a\nxy\nz\n", "a\nx\nyz\n"),
        ("a\n1\n", "b\n1\n"),
        ("a\n1\n", "a\n1\n1\n"),
        ("a\ntrue\n", "a\n1\n"),
    ],
)
def test_what_differs_in_value_place_order_name_or_type_has_another_id(ingest, one, other):
    first = ingest(simple(), one)
    second = ingest(ms.dataset("u", source="u.csv"), other)
    assert first.version.id != second.version.id


def test_an_old_version_reads_as_it_did_when_newer_ones_exist(engines, data, owner, ingest):
    ingest(simple(), "a\n1\n2\n")
    before = rows_of(engines, data, owner, "t@1")
    ingest(simple(), "a\n3\n")
    ingest(simple(), "a,b\n3,x\n")
    assert rows_of(engines, data, owner, "t@1").equals(before)
    assert rows_of(engines, data, owner, "t@3").to_pylist() == [{"a": 3, "b": "x"}]


def test_a_version_is_found_by_number_by_id_by_its_beginning_and_as_the_newest(data, owner, ingest):
    ingest(simple(), "a\n1\n")
    newest = ingest(simple(), "a\n2\n").version
    for reference in ("t", "t@2", f"t@{newest.id}", f"t@{newest.id[:10]}", newest.id):
        assert data.version(owner, reference) == newest
        assert data.resolve(owner, reference) == newest.id
    assert data.resolve(owner, "t@9") is None
    assert data.resolve(owner, "nothing here") is None
    with pytest.raises(NotFound, match=r"t@9.*newest is t@2"):
        data.version(owner, "t@9")
    with pytest.raises(NotFound, match="datasets t"):
        data.version(owner, "u")


def test_a_source_without_new_definition_is_read_again_after_a_change_of_definition(data, owner, ingest):
    first = ingest(simple(), "a,b\n1,2\n")
    second = ingest(simple(drop=["b"]), "a,b\n1,2\n")
    assert second.added == 1
    assert types_of(data, owner, "t") == {"a": "integer"}
    assert data.dataset(owner, "t").revision == 2
    assert first.version.id != second.version.id


def test_rows_keep_the_order_of_the_source(engines, data, owner, ingest):
    values = [(i * 7919) % 20_011 for i in range(20_000)]
    ingest(simple(checks=[ms.unique("a")]), "a\n" + "".join(f"{v}\n" for v in values))
    assert rows_of(engines, data, owner, "t").column("a").to_pylist() == values


def test_bad_rows_are_set_apart_with_line_reasons_and_values(data, owner, ingest):
    content = (
        "day,hr,temp,cnt\n2026-01-01,0,0.5,3\n2026-01-01,1,abc,4\n2026-01-01,2,0.5,\n2026-01-01,x,7,1\n2026-01-01,3\n"
    )
    made = simple(
        time=ms.date("day") + ms.hours("hr"),
        types={"cnt": int},
        checks=[ms.not_null("cnt"), ms.between("temp", 0, 1)],
    )
    told = ingest(made, content)
    assert (told.counts.read, told.counts.good, told.counts.quarantined) == (5, 1, 4)
    found = data.quarantine(owner, "t@1")
    assert found == [
        {
            "line": 3,
            "reasons": ["temp: wanted a number, found 'abc'"],
            "values": {"day": "2026-01-01", "hr": "1", "temp": "abc", "cnt": "4"},
            "text": None,
        },
        {
            "line": 4,
            "reasons": ["cnt: is null"],
            "values": {"day": "2026-01-01", "hr": "2", "temp": "0.5", "cnt": ""},
            "text": None,
        },
        {
            "line": 5,
            "reasons": ["hr: wanted a number, found 'x'", "temp: wanted 0 to 1, found 7.0"],
            "values": {"day": "2026-01-01", "hr": "x", "temp": "7", "cnt": "1"},
            "text": None,
        },
        {"line": 6, "reasons": ["expected 4 values, found 2"], "values": None, "text": "2026-01-01,3"},
    ]
    assert data.quarantine(owner, told.attempt) == data.quarantine(owner, "t") == found
    assert data.quarantine(owner, "t", limit=1, offset=2) == found[2:3]
    checks = {check["rule"]: check for check in data.manifest(owner, "t")["checks"]}
    assert checks["cnt not null"]["outcome"] == "fail"
    assert checks["cnt not null"]["failing"] == 1
    assert checks["cnt not null"]["samples"][0]["line"] == 4
    assert checks["temp 0 to 1"]["samples"][0]["values"]["temp"] == "7"


def test_too_many_bad_rows_make_no_version_and_can_still_be_looked_at(engines, data, owner, ingest):
    made = simple(max_quarantine=0.1, types={"a": int})
    ingest(made, "a\n1\n")
    with pytest.raises(InvalidInput) as raised:
        ingest(None, "a\n1\n2\nx\ny\n")
    assert "wanted at most 10.0% bad rows, found 2 of 4 (50.0%)" in str(raised.value)
    assert "a: wanted a whole number, found 'x' (1)" in str(raised.value)
    assert [version.number for version in data.versions(owner, "t")] == [1]
    assert rows_of(engines, data, owner, "t").to_pylist() == [{"a": 1}]
    assert engines.tables.files("default/data/t") == tuple(
        file for file in engines.tables.files("default/data/t") if file.rows == 1
    )
    attempt = data.attempts(owner, "t")[0]
    assert (attempt.outcome, attempt.counts.quarantined) == ("refused", 2)
    assert attempt.id in str(raised.value)
    assert [row["values"]["a"] for row in data.quarantine(owner, attempt.id)] == ["x", "y"]
    assert kinds(engines, owner)[-1] == "data.ingest.refused"


def test_a_refused_source_goes_in_once_the_definition_is_right(ingest):
    with pytest.raises(InvalidInput, match="whole number"):
        ingest(simple(max_quarantine=0, types={"a": int}), "a\n1.5\n")
    assert ingest(simple(types={"a": float}), "a\n1.5\n").added == 1


def test_a_check_of_the_whole_refuses_the_whole(data, owner, ingest):
    with pytest.raises(InvalidInput, match="wanted at least 3 rows, found 2 good rows"):
        ingest(simple(checks=[ms.row_count(at_least=3)]), "a\n1\n2\n")
    assert data.versions(owner, "t") == []


def test_no_good_row_makes_no_version(ingest):
    with pytest.raises(InvalidInput, match="at least one good row"):
        ingest(simple(types={"a": int}), "a\nx\n")


def test_a_stray_word_does_not_turn_a_column_of_numbers_into_text(data, owner, ingest):
    content = "a,b\n" + "".join(f"{i},{i}.5\n" for i in range(500)) + "abc,1\n"
    told = ingest(simple(), content)
    assert types_of(data, owner, "t") == {"a": "integer", "b": "number"}
    assert told.counts.quarantined == 1
    assert data.quarantine(owner, "t")[0]["reasons"] == ["a: wanted a whole number, found 'abc'"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "9223372036854775807"], "integer"),
        (["1", "2.5"], "number"),
        (["1e3", "-.5"], "number"),
        (["99999999999999999999"], "number"),
        (["true", "False"], "boolean"),
        (["0", "1"], "integer"),
        (["2026-01-31", "2026-2-1"], "date"),
        (["2026-01-31", "2026-01-31T10:00:00Z"], "timestamp"),
        (["2026-01-31 10:00:00+02:00"], "timestamp"),
        (["00123", "00456"], "text"),
        (["nan", "inf"], "text"),
        (["1_000"], "text"),
        (["yes", "no"], "text"),
        (["epoch", "infinity"], "text"),
        (["2026-02-30"], "text"),
        (["x"], "text"),
        (["", ""], "text"),
    ],
)
def test_the_narrowest_type_that_fits_is_inferred(data, owner, ingest, values, kind):
    ingest(simple(), "a,keep\n" + "".join(f"{value},k\n" for value in values))
    assert types_of(data, owner, "t")["a"] == kind


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "007", 7),
        ("integer", "5.0", 5),
        ("integer", " 5 ", 5),
        ("integer", "1.5", None),
        ("integer", "1e3", None),
        ("integer", "0x10", None),
        ("integer", "9223372036854775808", None),
        ("number", "1e3", 1000.0),
        ("number", "inf", None),
        ("number", "nan", None),
        ("number", '"1,5"', None),
        ("boolean", "Y", True),
        ("boolean", "0", False),
        ("boolean", "2", None),
        ("date", "2026-01-31 10:00", None),
        ("timestamp", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("timestamp", "2026-01-31 10:00:00+02:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("text", "007", "007"),
    ],
)
def test_a_declared_type_takes_what_is_of_it_and_nothing_else(engines, data, owner, ingest, kind, text, value):
    told = ingest(simple(types={"a": kind}), f"a,k\n{text},1\n{'x' if kind == 'text' else ''},1\n")
    found = rows_of(engines, data, owner, "t").column("a").to_pylist()[0]
    assert (told.counts.quarantined, found) == ((0, value) if value is not None else (1, None))


def test_types_stay_as_they_were_in_the_version_before(data, owner, ingest):
    ingest(simple(), "a\n1.5\n")
    ingest(simple(), "a\n1\n")
    assert types_of(data, owner, "t") == {"a": "number"}


def test_a_new_column_is_taken_in_and_a_lost_one_is_named(data, owner, ingest):
    ingest(simple(), "a,b\n1,2\n")
    ingest(simple(), "a,b,c\n1,2,3\n")
    assert list(types_of(data, owner, "t")) == ["a", "b", "c"]
    with pytest.raises(SchemaMismatch, match="wanted 'b', as in the version before, found the columns a, c"):
        ingest(simple(), "a,c\n1,3\n")
    assert ingest(simple(drop=["b", "c"]), "a,b,c\n5,6,7\n").added == 1
    assert ingest(simple(), "a\n6\n").added == 1


def test_missing_marks_are_no_values(engines, data, owner, ingest):
    ingest(simple(missing=["NA", "-"]), "a,b\n1,x\nNA,-\n")
    assert types_of(data, owner, "t") == {"a": "integer", "b": "text"}
    assert rows_of(engines, data, owner, "t").to_pylist()[1] == {"a": None, "b": None}


def test_time_adds_up_spans_of_any_unit(engines, data, owner, ingest):
    time = ms.timestamp("t0") + ms.days("d") + ms.hours("h") + ms.minutes("m") + ms.seconds("s")
    ingest(simple(time=time), "t0,d,h,m,s\n2026-01-01T00:00:00+01:00,1,0.5,-1,2.25\n")
    assert rows_of(engines, data, owner, "t").column("event_time").to_pylist() == [
        datetime(2026, 1, 1, 23, 29, 2, 250_000, tzinfo=UTC)
    ]


def test_a_row_without_a_time_or_with_an_impossible_one_is_bad(data, owner, ingest):
    made = simple(time=ms.date("d") + ms.hours("h"))
    content = "d,h\n2026-01-01,0\n2026-01-01,1\n,2\n2026-01-01,\n2026-01-01,1e300\n9999-12-31,24\n"
    ingest(made, content)
    assert [row["reasons"] for row in data.quarantine(owner, "t")] == [
        ["event_time: d is null"],
        ["event_time: h is null"],
        ["event_time: beyond the years a time can have"],
        ["event_time: beyond the years a time can have"],
    ]


def test_names_that_are_sql_or_have_quotes_spaces_or_accents_are_just_names(engines, data, owner, ingest):
    names = ["select", 'so "called"', "a b", "größe", "x'); DROP TABLE t; --", "c0", "v0", "line", "reasons", "😀"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    made = simple(
        types={"select": int},
        checks=[ms.not_null("select"), ms.unique(*names[:3]), ms.between("größe", 0, 9), ms.matches("😀", "[0-9]")],
    )
    row = {name: i for i, name in enumerate(names)}
    ingest(made, f"{header}\n{','.join(str(i) for i in range(len(names)))}\n,1,2,30,4,5,6,7,8,x\n")
    assert rows_of(engines, data, owner, "t").to_pylist() == [{**row, "😀": "9"}]
    bad = data.quarantine(owner, "t")[0]
    assert bad["values"]["x'); DROP TABLE t; --"] == "4"
    assert bad["reasons"] == [
        "select: is null",
        "größe: wanted 0 to 9, found 30",
        "😀: wanted to match [0-9], found 'x'",
    ]
    assert data.manifest(owner, "t")["profile"]["select"]["max"] == 0


def test_values_that_look_like_sql_are_just_values(engines, data, owner, ingest):
    evil = "'; DROP TABLE rows; --"
    ingest(simple(checks=[ms.one_of("a", [evil, "it's"])]), f'a\n"{evil}"\nit\'s\nother\n')
    assert rows_of(engines, data, owner, "t").column("a").to_pylist() == [evil, "it's"]
    assert data.quarantine(owner, "t")[0]["values"] == {"a": "other"}


def test_a_parquet_source_keeps_its_types_and_is_checked_the_same(engines, data, owner, ingest, tmp_path):
    rows = pa.table(
        {
            "n": pa.array([1, 2, None, 4], pa.int32()),
            "x": pa.array([0.5, float("nan"), 1.0, 2.0]),
            "s": pa.array(["007", "b", "c", "d"]).dictionary_encode(),
            "at": pa.array([datetime(2026, 1, i, tzinfo=UTC) for i in (1, 2, 3, 4)], pa.timestamp("ns", "UTC")),
        }
    )
    pq.write_table(rows, tmp_path / "t.parquet")
    made = simple(source="t.parquet", time=ms.timestamp("at"), checks=[ms.not_null("n"), ms.between("x", 0, 1)])
    told = ingest(made, (tmp_path / "t.parquet").read_bytes(), "t.parquet")
    assert told.counts.good == 1
    found = rows_of(engines, data, owner, "t").to_pylist()
    assert (found[0]["n"], found[0]["s"], found[0]["event_time"]) == (1, "007", datetime(2026, 1, 1, tzinfo=UTC))
    assert [row["reasons"] for row in data.quarantine(owner, "t")] == [
        ["x: wanted a number, found 'nan'"],
        ["n: is null"],
        ["x: wanted 0 to 1, found 2.0"],
    ]


def test_the_same_rows_from_parquet_and_csv_are_one_version(ingest, tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), tmp_path / "t.parquet")
    first = ingest(simple(), "a,b\n1,x\n2,\n")
    other = ingest(ms.dataset("u", source="u.parquet"), (tmp_path / "t.parquet").read_bytes(), "u.parquet")
    assert first.version.id == other.version.id


def test_rows_and_head_are_json(data, owner, ingest):
    ingest(simple(time=ms.timestamp("at")), "at,d\n2026-01-01T10:00:00Z,2026-01-02\n2026-01-01T11:00:00Z,2026-01-02\n")
    shown = data.rows(owner, "t", limit=1, offset=1)
    assert shown == [{"at": "2026-01-01T11:00:00+00:00", "d": "2026-01-02", "event_time": "2026-01-01T11:00:00+00:00"}]
    json.dumps(shown)


def test_plan_says_what_apply_then_does(engines, data, owner):
    first = simple()
    assert [change.action for change in data.plan(owner, [first.to_json()])] == ["create"]
    assert data.datasets(owner) == []
    data.apply(owner, [first.to_json()], folder="/somewhere")
    assert [change.action for change in data.apply(owner, [first.to_json()], folder="/somewhere")] == ["none"]
    [change] = data.apply(owner, [simple(drop=["a"]).to_json()], folder="/somewhere")
    assert (change.action, change.fields) == ("change", {"drop": ([], ["a"])})
    record = data.dataset(owner, "t")
    assert (record.revision, record.folder, record.latest_version) == (2, "/somewhere", None)
    assert kinds(engines, owner) == ["data.dataset.applied"] * 2


def test_apply_takes_all_definitions_or_none(data, owner):
    with pytest.raises(InvalidInput):
        data.apply(owner, [simple().to_json(), {"name": "bad name", "source": "x"}])
    with pytest.raises(InvalidInput, match="two"):
        data.apply(owner, [simple().to_json()] * 2)
    assert data.datasets(owner) == []


def test_a_viewer_may_look_and_not_touch(data, owner, ingest, tmp_path):
    told = ingest(simple(), "a\n1\n")
    viewer = Principal(owner.id, "eve", owner.project, Role.viewer)
    assert data.version(viewer, "t") == told.version
    for attempt in (
        lambda: data.apply(viewer, []),
        lambda: data.ingest(viewer, "t", fingerprint="0" * 64, source_name="t.csv"),
        lambda: data.upload(viewer, tmp_path / "upload", expected="0" * 64),
    ):
        with pytest.raises(NotPermitted):
            attempt()


def test_another_project_sees_neither_versions_nor_uploads(data, owner, ingest):
    told = ingest(simple(), "a\n1\n")
    stranger = Principal(owner.id, "eve", "other", Role.owner)
    assert data.datasets(stranger) == []
    assert data.resolve(stranger, told.version.id) is None
    assert not data.has_upload(stranger, told.version.source_fingerprint)
    data.apply(stranger, [simple().to_json()])
    with pytest.raises(NotFound, match="uploaded bytes"):
        data.ingest(stranger, "t", fingerprint=told.version.source_fingerprint, source_name="t.csv")


cells = st.one_of(
    st.sampled_from(
        ["", "1", "2.5", "-3", "abc", "NA", "true", "2026-01-01", "007", " ", "é", '"', "a,b", "x\ny", "1e400"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=30),
    kind=st.sampled_from([None, "integer", "number", "boolean", "date", "timestamp", "text"]),
    quoted=st.booleans(),
    unique=st.booleans(),
)
def test_every_row_is_either_good_or_set_apart(engines, data, owner, ingest, body, kind, quoted, unique):
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerows([["a", "b", "c"], *body, ["1", "2", "3"]])
    name = f"t{hashlib.sha256(repr((body, kind, quoted, unique)).encode()).hexdigest()[:12]}"
    checks = [ms.not_null("b"), *([ms.unique("c")] if unique else [])]
    made = ms.dataset(name, source="t.csv", max_quarantine=1, types={"a": kind} if kind else {}, checks=checks)
    records = list(csv.reader(io.StringIO(sink.getvalue())))[1:]
    counted = sum(1 for row in records if any(row) or len(row) not in (0, 3))
    try:
        told = ingest(made, sink.getvalue())
    except InvalidInput:
        attempt = data.attempts(owner, name)[0]
        assert "at least one good row" in attempt.error
        assert (attempt.counts.read, attempt.counts.good) == (counted, 0)
        return
    assert told.counts.read == counted
    assert told.counts.read == told.counts.good + told.counts.quarantined
    assert rows_of(engines, data, owner, name).num_rows == told.counts.good
    apart = data.quarantine(owner, told.attempt)
    assert len(apart) == told.counts.quarantined
    assert all(row["reasons"] for row in apart)
    lines = [row["line"] for row in apart]
    assert lines == sorted(set(lines))


def test_the_demo_data_is_what_its_readme_says():
    readme = (BIKES.parent / "README.md").read_text()
    assert hashlib.sha256(BIKES.read_bytes()).hexdigest() in readme
    assert str(BIKES.stat().st_size) in readme


def test_a_file_of_another_name_is_fine_as_long_as_the_definition_says_its_format(ingest):
    assert ingest(simple(source="data.bin", format="csv"), "a\n1\n", "data.bin").added == 1
    with pytest.raises(InvalidInput, match=r"\.csv, \.parquet"):
        ingest(ms.dataset("u", source="data.bin"), "a\n1\n", "data.bin")
    assert Path("data.bin").suffix == ".bin"
