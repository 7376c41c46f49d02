"""Files that are not what they should be: each a clear error, or a row set apart; never a crash or a wrong row."""

import hashlib

import pytest

from mainspring.data import definitions as ms
from mainspring.data.sources import csv as csv_source
from mainspring.kernel.errors import Corrupt, InvalidInput, NotFound
from tests.data.conftest import simple


def refused(ingest, content, **options):
    with pytest.raises(InvalidInput) as raised:
        ingest(simple(**options), content)
    return str(raised.value)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"time": ms.date("day")}, "time"),
        ({"drop": ["day"]}, "drop"),
        ({"types": {"day": "date"}}, "types"),
        ({"checks": [ms.not_null("day")]}, "checks"),
    ],
)
def test_a_missing_column_is_named_with_who_wants_it_and_what_there_is(ingest, options, where):
    message = refused(ingest, "a,b\n1,2\n", **options)
    assert "column 'day' of t.csv" in message
    assert f"which {where}= of dataset t uses" in message
    assert "the columns a, b" in message


@pytest.mark.parametrize("content", ["", "\n\n", " \n"])
def test_an_empty_file_is_said(ingest, content):
    assert "wanted a header line and rows" in refused(ingest, content)


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\n\n\n"])
def test_a_header_alone_is_said(ingest, content):
    assert "found a header and no rows" in refused(ingest, content)


def test_a_wrong_encoding_is_said_with_the_byte_its_place_and_the_likely_one(ingest):
    content = "a,b\n1,x\n2,café\n".encode("cp1252")
    message = refused(ingest, content)
    assert "wanted text in utf-8, found byte 0xe9 at offset 13 (line 3)" in message
    assert 'encoding="cp1252"' in message
    assert ingest(simple(encoding="cp1252"), content).added == 2


def test_a_wrong_byte_is_placed_right_where_pieces_of_the_file_meet(ingest):
    whole = csv_source._CHUNK
    content = b"a\n" + b"x" * (whole - 3) + "é".encode() + b"\n\xff\n"
    assert f"byte 0xff at offset {whole + 2} (line 3)" in refused(ingest, content)


def test_a_file_that_ends_inside_a_character_is_said(ingest):
    assert "at offset 4" in refused(ingest, "a\nx,é".encode()[:-1].replace(b",", b"y"))


def test_utf_16_is_recognized_and_read_when_told(ingest):
    content = "a,b\n1,é\n".encode("utf-16")
    assert 'encoding="utf-16"' in refused(ingest, content)
    assert ingest(simple(encoding="utf-16"), content).added == 1


def test_an_unknown_encoding_is_said(ingest):
    assert "'klingon'" in refused(ingest, "a\n1\n", encoding="klingon")


def test_a_byte_order_mark_is_not_part_of_a_name(data, owner, ingest):
    ingest(simple(), "\ufeffa,b\n1,2\n")
    assert [c["name"] for c in data.manifest(owner, "t")["columns"]] == ["a", "b"]


def test_a_last_line_cut_short_is_set_apart(data, owner, ingest):
    told = ingest(simple(), "a,b,c\n1,2,3\n4,5")
    assert (told.counts.good, told.counts.quarantined) == (1, 1)
    assert data.quarantine(owner, "t")[0] == {
        "line": 3, "reasons": ["expected 3 values, found 2"], "values": None, "text": "4,5"
    }  # fmt: skip


def test_a_quote_that_is_never_closed_is_set_apart_with_the_line_it_opens_on(data, owner, ingest):
    told = ingest(simple(), 'a,b\n1,2\n3,"4\n5,6\n7,8')
    assert (told.counts.good, told.counts.quarantined) == (1, 1)
    row = data.quarantine(owner, "t")[0]
    assert row["line"] == 3
    assert "never closed" in row["reasons"][0]
    assert "7,8" in row["text"]


def test_a_quote_in_the_middle_of_a_value_is_only_a_character(data, owner, ingest):
    ingest(simple(), 'a,b\n1,5" pipe\n2,x\n')
    assert [row["b"] for row in data.rows(owner, "t")] == ['5" pipe', "x"]


@pytest.mark.parametrize("header", ["a,b,a", "a,b,A"])
def test_names_that_repeat_are_said_with_their_places(ingest, header):
    message = refused(ingest, f"{header}\n1,2,3\n")
    assert "'a' (column 1)" in message
    assert "(column 3)" in message


def test_a_column_without_a_name_gets_its_place(data, owner, ingest):
    ingest(simple(), ",b\n1,2\n")
    assert data.rows(owner, "t") == [{"column_1": 1, "b": 2}]


def test_a_column_named_like_the_event_time_is_said(ingest):
    message = refused(ingest, "event_time,day\n1,2026-01-01\n", time=ms.date("day"))
    assert "column event_time" in message


def test_dropping_everything_is_said(ingest):
    assert "all dropped" in refused(ingest, "a\n1\n", drop=["a"])


@pytest.mark.parametrize(
    "options",
    [
        {"types": {"a": "text"}, "checks": [ms.between("a", 0, 1)]},
        {"checks": [ms.between("a", 0, 1), ms.matches("a", "x")]},
        {"time": ms.date("a"), "checks": [ms.between("a", 0, 1)]},
    ],
)
def test_a_column_wanted_as_two_types_is_said(ingest, options):
    assert "column 'a' of dataset t" in refused(ingest, "a\n1\n", **options)


@pytest.mark.parametrize(("mark", "content"), [(";", "a;b\n1;2,5\n"), ("\t", "a\tb\n1\t2\n"), ("|", "a|b\n1|2\n")])
def test_other_delimiters_are_seen_in_the_header(data, owner, ingest, mark, content):
    ingest(simple(), content)
    assert [c["name"] for c in data.manifest(owner, "t")["columns"]] == ["a", "b"]


def test_blank_lines_are_no_rows_and_keep_lines_right(data, owner, ingest):
    told = ingest(simple(types={"b": int}), "\na,b\n\n1,2\n\n\n3,x\n\n")
    assert (told.counts.read, told.counts.good) == (2, 1)
    assert told.counts.blank == 4
    assert data.quarantine(owner, "t")[0]["line"] == 7


def test_lines_stay_right_after_values_of_several_lines_and_many_blocks(data, owner, ingest, monkeypatch):
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 4096)
    records, line, wanted = ["a,b"], 2, []
    for i in range(3000):
        if i % 97 == 0:
            records.append(f"{i}")
            wanted.append(line)
        elif i % 31 == 0:
            records.append(f'{i},"x\ny\nz"')
            line += 2
        elif i % 53 == 0:
            records.append("")
        elif i % 41 == 0:
            records.append(f"word,{i}")
            wanted.append(line)
        else:
            records.append(f"{i},x")
        line += 1
    told = ingest(simple(types={"a": int, "b": "text"}), "\n".join(records))
    found = data.quarantine(owner, told.attempt, limit=1000)
    assert [row["line"] for row in found] == wanted
    assert [row["a"] for row in data.rows(owner, "t", limit=1000)] == sorted(
        row["a"] for row in data.rows(owner, "t", limit=1000)
    )


def test_a_record_that_is_longer_than_memory_allows_is_said(ingest, monkeypatch):
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 4096)
    assert "a record longer than" in refused(ingest, "a,b\n" + "1,2\n" * 2000 + "1," + "x" * 50_000 + "\n")


def test_a_nul_is_a_character_like_others(data, owner, ingest):
    ingest(simple(), "a,b\n1,x\0y\n")
    assert data.rows(owner, "t") == [{"a": 1, "b": "x\0y"}]


def test_a_parquet_file_that_is_none_is_said(ingest):
    with pytest.raises(InvalidInput, match="wanted a Parquet file"):
        ingest(simple(source="t.parquet"), "a,b\n1,2\n", "t.parquet")


def test_bytes_that_are_not_what_was_promised_are_refused(data, owner, tmp_path):
    (tmp_path / "x").write_bytes(b"a\n1\n")
    with pytest.raises(Corrupt):
        data.upload(owner, tmp_path / "x", expected="0" * 64)
    assert not data.has_upload(owner, "0" * 64)


def test_a_source_that_was_never_sent_is_said(data, owner):
    data.apply(owner, [simple().to_json()])
    with pytest.raises(NotFound, match="uploaded bytes"):
        data.ingest(owner, "t", fingerprint="0" * 64, source_name="t.csv")


def test_a_source_that_rotted_in_the_store_is_not_read(engines, data, owner, ingest):
    digest = hashlib.sha256(b"a\n1\n").hexdigest()
    ingest(simple(), "a\n1\n")
    place = engines.blobs.path(digest)
    place.chmod(0o600)
    place.write_bytes(b"a\n2\n")
    data.apply(owner, [simple(missing=["x"]).to_json()])
    with pytest.raises(Corrupt, match=digest):
        data.ingest(owner, "t", fingerprint=digest, source_name="t.csv")


def test_a_dataset_that_was_never_applied_is_said(data, owner):
    with pytest.raises(NotFound, match="mainspring apply"):
        data.ingest(owner, "none", fingerprint="0" * 64, source_name="t.csv")


def test_each_failure_is_on_record(data, owner, ingest):
    refused(ingest, "")
    refused(ingest, "a\n")
    assert [attempt.outcome for attempt in data.attempts(owner, "t")] == ["refused", "refused"]
    assert "empty" in data.attempts(owner, "t")[1].error
    assert data.quarantine(owner, "t") == []
