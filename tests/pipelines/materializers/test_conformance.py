"""Every materializer keeps the promises of the contract, whichever files are in the folder."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pytest

from mainspring.data.definitions import Dataset
from mainspring.kernel import plugins
from mainspring.kernel.errors import Corrupt, InvalidInput
from mainspring.kernel.verdicts import Verdict
from mainspring.pipelines.materializers.contract import KIND, LAST_RESORT, materializer, name_for


class Note:
    """An object that knows its own bytes."""

    artifact_kind: ClassVar[str] = "note"

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Note) and self.text == other.text

    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        return self.text.encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        return cls(data.decode())

    def describe(self) -> dict[str, Any]:
        return {"characters": len(self.text)}


@dataclass
class Odd:
    value: Any


TABLE = pa.table({"a": [1, None, 3], "b": ["x", "y", None], "c": pa.array([1.0, 2.0, float("nan")])})
CASES: dict[str, list[tuple[Any, Any]]] = {
    "simple": [(int, 3), (dict[str, float], {"b": 1.0, "a": 2.0}), (Verdict, Verdict("mae", "pass", "fine", {"n": 3}))],
    "table": [(pa.Table, TABLE), (pa.Table, TABLE.slice(1, 1)), (pa.Table, TABLE.slice(0, 0))],
    "array": [(np.ndarray, np.arange(6.0).reshape(2, 3)), (np.ndarray, np.array([], dtype=np.int8))],
    "object": [(Note, Note("hello"))],
    "pickle": [(Odd, Odd({1, 2}))],
    "pandas_frame": [],
    "polars_frame": [],
    "dataset": [],
}
if importlib.util.find_spec("pandas"):
    import pandas as pd

    CASES["pandas_frame"].append((pd.DataFrame, pd.DataFrame({"a": [1, 2]}, index=["x", "y"])))
if importlib.util.find_spec("polars"):
    import polars as pl

    CASES["polars_frame"].append((pl.DataFrame, pl.DataFrame({"a": [1, None]})))

ALL = [pytest.param(name, *case, id=f"{name}-{number}") for name in CASES for number, case in enumerate(CASES[name])]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one.equals(other)) if hasattr(one, "equals") else bool(one == other)


def test_every_materializer_is_tested_here():
    assert set(CASES) == set(plugins.names(KIND))


@pytest.mark.parametrize(("name", "annotation", "value"), ALL)
def test_a_value_comes_back_equal(name: str, annotation: Any, value: Any, tmp_path: Path):
    one = materializer(name)
    assert one.accepts(annotation)
    meta = one.dump(value, tmp_path / "file")
    again = one.load(tmp_path / "file", meta, annotation)
    assert type(again) is type(value)
    if name == "table":
        assert again.to_pydict().__repr__() == value.to_pydict().__repr__()
    else:
        assert _equal(again, value)


@pytest.mark.parametrize(("name", "annotation", "value"), ALL)
def test_a_value_is_one_file_and_its_description_is_plain(name: str, annotation: Any, value: Any, tmp_path: Path):
    import json

    meta = materializer(name).dump(value, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert json.loads(json.dumps(meta)) == meta
    assert materializer(name).kind(value).isidentifier()


@pytest.mark.parametrize(("name", "annotation", "value"), ALL)
def test_equal_values_give_equal_bytes(name: str, annotation: Any, value: Any, tmp_path: Path):
    one = materializer(name)
    if not one.is_deterministic:
        pytest.skip(f"{name} says that its bytes may differ")
    one.dump(value, tmp_path / "first")
    again = one.load(tmp_path / "first", {**one.dump(value, tmp_path / "first")}, annotation)
    one.dump(again, tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(("name", "annotation", "value"), ALL)
def test_the_type_hint_chooses_the_materializer(name: str, annotation: Any, value: Any):
    assert name_for(annotation, value) == name
    assert name_for(Any, value) == name, "where the hint says nothing, the value does"


def test_tables_of_other_chunks_give_the_same_bytes(tmp_path: Path):
    table = pa.table({"a": list(range(100))})
    chunked = pa.concat_tables([table.slice(0, 30), table.slice(30)])
    materializer("table").dump(table, tmp_path / "one")
    materializer("table").dump(chunked, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_simple_types_are_stored_without_loading_array_libraries():
    assert name_for(list[float], [1.0]) == "simple"
    assert materializer("simple").precedence == 0
    assert materializer("pickle").precedence == LAST_RESORT


def test_an_array_of_objects_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="Python objects"):
        materializer("array").dump(np.array([object()]), tmp_path / "file")


@pytest.mark.parametrize("name", ["table", "array"])
def test_a_damaged_file_is_said_to_be_damaged(name: str, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"not that")
    with pytest.raises(Corrupt):
        materializer(name).load(tmp_path / "file", {}, Any)


def test_a_lock_cannot_be_stored_and_the_error_says_what_can(tmp_path: Path):
    import threading

    with pytest.raises(InvalidInput, match="to_bytes and from_bytes"):
        materializer("pickle").dump(threading.Lock(), tmp_path / "file")


def test_a_dataset_version_is_read_from_its_files_in_order(tmp_path: Path):
    import json

    import pyarrow.parquet as pq

    for number in range(2):
        pq.write_table(pa.table({"n": [number]}), tmp_path / f"{number}.parquet")
    listed = tmp_path / "listed"
    listed.write_text(json.dumps({"files": [str(tmp_path / "1.parquet"), str(tmp_path / "0.parquet")]}))
    one = materializer("dataset")
    assert one.accepts(Dataset)
    assert one.load(listed, {}, pa.Table)["n"].to_pylist() == [1, 0]
