"""What a step's process does, run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from mainspring.kernel.errors import StepFailed
from mainspring.kernel.reporting import listening, report
from mainspring.pipelines.work import Promise, Stored, Written, perform


class Split(NamedTuple):
    train: pa.Table
    rest: list[int]


def _promise(outputs: dict[str, Any], bundle: type | None = None, **parameters: Any) -> Promise:
    return Promise("train", parameters, outputs, bundle)


def _stored(written: Written) -> Stored:
    return Stored(written.materializer, written.path, written.meta)


def test_outputs_are_written_and_can_be_inputs(tmp_path: Path):
    table = pa.table({"a": [1, 2]})
    written = perform(lambda: Split(table, [1]), {}, _promise({"train": pa.Table, "rest": list[int]}, Split), tmp_path)
    assert [output.name for output in written] == ["train", "rest"]
    assert [output.kind for output in written] == ["table", "json"]
    inputs = {"rows": _stored(written[0]), "many": [_stored(written[1]), _stored(written[1])]}
    promise = _promise({"output": int}, rows=pa.Table, many=list[list[int]])
    (total,) = perform(lambda rows, many: rows.num_rows + sum(map(sum, many)), inputs, promise, tmp_path)
    assert total.meta == {"value": 4}


@pytest.mark.parametrize(("value", "found"), [("text", "str 'text'"), (None, "None"), ([1.0], r"list \[1\.0\]")])
def test_a_broken_promise_names_what_was_wanted_and_found(value: Any, found: str, tmp_path: Path):
    with pytest.raises(StepFailed, match=f"wanted float, found {found}"):
        perform(lambda: value, {}, _promise({"output": float}), tmp_path)


def test_a_tuple_that_is_not_the_promised_bundle_is_refused(tmp_path: Path):
    with pytest.raises(StepFailed, match="a Split of train, rest"):
        perform(lambda: (1, 2), {}, _promise({"train": pa.Table, "rest": list[int]}, Split), tmp_path)


def test_an_input_of_another_type_than_promised_is_refused_before_the_call(tmp_path: Path):
    (written,) = perform(lambda: "text", {}, _promise({"output": str}), tmp_path)
    with pytest.raises(StepFailed, match="argument rows"):
        perform(lambda rows: 1, {"rows": _stored(written)}, _promise({"output": int}, rows=float), tmp_path)


def test_a_logged_file_is_kept_as_it_was(tmp_path: Path):
    heard: list[dict[str, Any]] = []
    logged = tmp_path / "notes.txt"

    def step() -> None:
        logged.write_text("first")
        report({"type": "artifact", "name": "notes.txt", "path": str(logged)})
        logged.unlink()
        report({"type": "metric", "key": "mae", "value": 1.0, "step": 0, "time": 0.0})

    with listening(heard.append):
        perform(step, {}, _promise({"output": None}), tmp_path)
    seeds, kept, metric = heard
    assert seeds["type"] == "seeds"
    assert Path(kept["path"]).read_text() == "first"
    assert metric["key"] == "mae"
