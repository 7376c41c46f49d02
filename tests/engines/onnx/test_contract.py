"""What every ONNX engine must hold, run over each that is found."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from mainspring.engines.onnx.contract import Onnx
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput, NotFound, SchemaMismatch
from tests.engines.onnx import graphs

ROLE = "mainspring.engines.onnx"
BAD = {
    "an operator of a foreign domain": (
        graphs.model(helper.make_node("Evil", ["a"], ["y"], domain="com.evil")),
        "com.evil",
    ),
    "an import of a foreign domain": (
        graphs.model(helper.make_node("Add", ["a", "b"], ["y"]), opsets=(("", 18), ("com.microsoft", 1))),
        "com.microsoft",
    ),
    "external data in an attribute": (
        graphs.model(graphs.constant(graphs.external())),
        "external data of tensor 'weights'",
    ),
    "external data in a subgraph": (
        graphs.model(graphs.choosing(graphs.branch(graphs.constant(graphs.external("deep"))), graphs.branch())),
        "external data of tensor 'deep'",
    ),
    "a foreign operator in a subgraph": (
        graphs.model(
            graphs.choosing(graphs.branch(helper.make_node("Evil", [], ["y"], domain="x.y")), graphs.branch())
        ),
        "x.y",
    ),
    "external data in a function": (
        graphs.model(
            helper.make_node("Add", ["a", "b"], ["y"]),
            functions=[graphs.function(graphs.constant(graphs.external()), domain="")],
        ),
        "external data",
    ),
    "a function of a foreign domain": (
        graphs.model(
            helper.make_node("Add", ["a", "b"], ["y"]),
            functions=[graphs.function(helper.make_node("Neg", ["a"], ["y"]))],
        ),
        "local",
    ),
}


@pytest.fixture(params=plugins.names(ROLE))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Onnx:
    opened: Onnx = plugins.load(ROLE, request.param).open_engine(tmp_path)
    return opened


def _with_initializer(tensor):
    found = graphs.adding()
    found.graph.initializer.append(tensor)
    return found


def test_a_model_answers_one_number_a_row_from_named_columns_in_any_order(engine):
    model = engine.open(graphs.adding().SerializeToString())
    answer = model.predict({"b": np.array([10, 20]), "other": np.array(["x", "y"]), "a": np.array([1.5, np.nan])})
    assert answer.dtype == np.float64
    np.testing.assert_array_equal(answer, [11.5, np.nan])


def test_a_matrix_is_read_in_the_order_of_the_inputs(engine):
    model = engine.open(graphs.adding().SerializeToString())
    np.testing.assert_array_equal(model.predict(np.array([[1.0, 2.0], [3.0, 4.0]])), [3.0, 7.0])


def test_two_probabilities_a_row_give_the_second(engine):
    model = engine.open(graphs.matrix().SerializeToString())
    assert model.predict(np.array([[0.25, 0.75]])) == [0.75]
    assert model.predict({"zero": np.array([0.25]), "one": np.array([0.75])}) == [0.75]


def test_missing_text_reaches_the_model_as_the_empty_text(engine):
    model = engine.open(graphs.text_length().SerializeToString())
    assert list(model.predict({"t": np.array(["a", None, np.nan, ""], dtype=object)})) == [0, 1, 1, 1]


def test_no_rows_give_no_numbers(engine):
    assert engine.open(graphs.adding().SerializeToString()).predict(np.empty((0, 2))).shape == (0,)


def test_a_missing_column_is_named(engine):
    with pytest.raises(SchemaMismatch, match="columns b"):
        engine.open(graphs.adding().SerializeToString()).predict({"a": np.array([1.0])})


def test_a_column_of_another_type_is_named(engine):
    with pytest.raises(SchemaMismatch, match="column b"):
        engine.open(graphs.adding().SerializeToString()).predict({"a": np.array([1.0]), "b": np.array(["red"])})


def test_a_matrix_of_another_width_is_refused(engine):
    with pytest.raises(SchemaMismatch, match="a matrix of 2 columns"):
        engine.open(graphs.adding().SerializeToString()).predict(np.ones((1, 3)))


def test_facts_tell_inputs_outputs_operators_and_size(engine):
    data = graphs.adding().SerializeToString()
    facts = engine.inspect(data)
    assert [(field.name, field.dtype, field.shape) for field in facts.inputs] == [
        ("a", "float64", (None, 1)),
        ("b", "float64", (None, 1)),
    ]
    assert facts.operators == ("Add",)
    assert facts.size_bytes == len(data)


@pytest.mark.parametrize("case", BAD)
def test_what_must_not_be_opened_is_refused_by_name(engine, case):
    bad, named = BAD[case]
    for refuse in (engine.inspect, engine.open):
        with pytest.raises(InvalidInput, match=named):
            refuse(bad.SerializeToString())


def test_external_data_of_an_initializer_is_refused(engine):
    with pytest.raises(InvalidInput, match="external data of tensor 'weights'"):
        engine.inspect(_with_initializer(graphs.external()).SerializeToString())


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x00" * 100, os.urandom(1000)])
def test_bytes_that_are_no_model_are_refused(engine, data):
    with pytest.raises(InvalidInput):
        engine.inspect(data)


def test_a_truncated_model_is_refused(engine):
    whole = graphs.adding().SerializeToString()
    for length in range(0, len(whole), 7):
        with pytest.raises(InvalidInput):
            engine.open(whole[:length])


def test_a_model_over_the_limit_is_refused_before_it_is_parsed(engine, tmp_path):
    data = graphs.adding().SerializeToString()
    with pytest.raises(InvalidInput, match="at most 10 bytes"):
        engine.inspect(data, max_bytes=10)
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(InvalidInput, match="at most 10 bytes"):
        engine.open_checked(tmp_path / "m.onnx", max_bytes=10)


def test_a_checked_model_predicts(engine, tmp_path):
    (tmp_path / "m.onnx").write_bytes(graphs.adding().SerializeToString())
    assert engine.open_checked(tmp_path / "m.onnx").predict(np.array([[1.0, 2.0]])) == [3.0]


def test_a_file_that_is_not_there_is_named(engine, tmp_path):
    with pytest.raises(NotFound, match=r"gone\.onnx"):
        engine.open_checked(tmp_path / "gone.onnx")


def test_a_refusal_in_the_child_process_is_told_here(engine, tmp_path):
    (tmp_path / "m.onnx").write_bytes(BAD["an operator of a foreign domain"][0].SerializeToString())
    with pytest.raises(InvalidInput, match=r"com\.evil"):
        engine.open_checked(tmp_path / "m.onnx")


def test_a_model_that_wants_too_much_memory_takes_only_the_child_down(engine, tmp_path):
    (tmp_path / "m.onnx").write_bytes(graphs.hungry().SerializeToString())
    with pytest.raises(InvalidInput):
        engine.open_checked(tmp_path / "m.onnx", memory_bytes=2 << 30)


def test_a_model_that_takes_too_long_to_open_is_refused(engine, tmp_path):
    (tmp_path / "m.onnx").write_bytes(graphs.adding().SerializeToString())
    with pytest.raises(InvalidInput, match=r"opens within 0\.001 s"):
        engine.open_checked(tmp_path / "m.onnx", timeout_s=0.001)


def test_the_child_process_gets_no_secret_of_the_environment(engine, tmp_path, monkeypatch):
    spy = tmp_path / "python"
    spy.write_text(f'#!/bin/sh\nenv > {tmp_path}/seen\nexec {sys.executable} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(spy))
    monkeypatch.setenv("MAINSPRING_TOKEN", "ms_secret")
    (tmp_path / "m.onnx").write_bytes(graphs.adding().SerializeToString())
    engine.open_checked(tmp_path / "m.onnx")
    assert "ms_secret" not in (tmp_path / "seen").read_text()


def test_threads_may_share_a_model(engine):
    model = engine.open(graphs.adding().SerializeToString())
    answers: list[bool] = []

    def ask(number: float) -> None:
        for _ in range(50):
            answers.append(bool((model.predict(np.full((100, 2), number)) == 2 * number).all()))

    threads = [threading.Thread(target=ask, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 200
    assert all(answers)
