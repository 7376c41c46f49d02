from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pytest

import mainspring as ms
from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions import Handles, Resources, choose, operation, pipeline, step
from mainspring.pipelines.definitions.handles import Handle
from mainspring.pipelines.definitions.running import run_by


class Split(NamedTuple):
    train: pa.Table
    test: pa.Table


@step
def double(number: float, plus: float = 0.0) -> float:
    """Twice the number."""
    return 2 * number + plus


@step
def split(rows: pa.Table) -> Split:
    return Split(rows.slice(0, 1), rows.slice(1))


class Recorder:
    """A `Running` that only notes what was called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call(self, request: Any) -> Handle:
        self.calls.append(request)
        outputs = tuple(request.step.signature.outputs)
        return Handle(_Ended(f"{request.step.name}{len(self.calls)}", outputs))


class _Ended:
    def __init__(self, label: str, outputs: tuple[str, ...]) -> None:
        self.label, self.outputs = label, outputs

    def value(self, output: str | None) -> Any:
        return {"train": 1, "test": 2, None: 5}[output]


def test_a_step_outside_a_pipeline_is_its_function():
    assert double(21.0) == 42.0
    assert double.fn(1.0, plus=1.0) == 3.0
    assert double.__doc__ == "Twice the number."
    assert double.partial(plus=1.0)(2.0) == 5.0


def test_map_outside_a_pipeline_gives_the_values():
    assert list(double.map([1.0, 2.0])) == [2.0, 4.0]
    assert list(double.partial(plus=1.0).map(number=[1.0, 2.0])) == [3.0, 5.0]
    assert list(double.map([1.0, 2.0], [10.0, 20.0])) == [12.0, 24.0]
    assert list(double.partial(number=1.0).map([1.0, 2.0])) == [3.0, 4.0], "the first parameter that is free"
    assert len(double.map([])) == 0


def test_map_refuses_lists_of_different_length():
    with pytest.raises(InvalidInput, match="number has 2, plus has 1"):
        double.map([1.0, 2.0], [1.0])


@pytest.mark.parametrize("given", ["abc", {"a": 1}, 3])
def test_map_refuses_what_is_no_list(given: Any):
    with pytest.raises(InvalidInput, match="a list"):
        double.map(given)


def test_inside_a_pipeline_a_call_gives_a_handle_at_once():
    recorder = Recorder()
    with run_by(recorder):
        handle = double(1.0)
        parts = split(pa.table({}))
    assert isinstance(handle, Handle)
    assert [call.step.name for call in recorder.calls] == ["double", "split"]
    assert recorder.calls[0].arguments == {"number": 1.0, "plus": 0.0}
    assert parts.train.load() == 1
    train, test = parts
    assert (train.load(), test.load()) == (1, 2)


def test_a_handle_waits_only_where_its_value_is_needed():
    handle = Handle(_Ended("double", ("output",)))
    assert handle > 4
    assert handle == 5
    assert float(handle) == 5.0
    assert bool(handle)
    assert repr(handle) == "<handle of double>"
    with pytest.raises(AttributeError, match=r"call \.load\(\) first"):
        _ = handle.reason


def test_handles_of_named_outputs_can_be_taken_together():
    handles = Handles([Handle(_Ended("split", ("train", "test"))) for _ in range(3)])
    assert handles.train.load() == [1, 1, 1]
    assert len(handles[:2]) == 2


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(a) -> int: ...", "parameter a"),
        ("def f(a: int): ...", "return value"),
        ("def f(*a: int) -> int: ...", "given by name"),
        ("def f(a: int, /) -> int: ...", "given by name"),
    ],
)
def test_a_step_without_hints_is_refused_naming_what_lacks_one(source: str, found: str):
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    with pytest.raises(InvalidInput, match=found):
        step(namespace["f"])


def test_a_hint_that_names_nothing_is_said():
    namespace: dict[str, Any] = {}
    exec("def f(a: 'Nowhere') -> int: ...", namespace)
    with pytest.raises(InvalidInput, match="Nowhere"):
        _ = step(namespace["f"]).signature


@pytest.mark.parametrize(
    "options",
    [{"retries": -1}, {"timeout_s": 0}, {"retry_wait_s": -1.0}, {"cpu": 0}, {"memory": "2 apples"}],
)
def test_options_are_checked_where_they_are_written(options: dict[str, Any]):
    makes = Resources if "cpu" in options or "memory" in options else lambda **given: step(**given)(double.fn)
    with pytest.raises(InvalidInput):
        makes(**options)


def test_memory_is_read_in_the_usual_units():
    assert Resources(memory="2Gi").memory_bytes == 2 * 2**30
    assert Resources(memory="1.5GB").memory_bytes == 1_500_000_000
    assert Resources().memory_bytes is None


def test_arguments_are_checked_at_the_call():
    with run_by(Recorder()):
        with pytest.raises(InvalidInput, match="one of number, plus"):
            double(1.0, other=2)  # type: ignore[call-arg]
        with pytest.raises(InvalidInput, match="a value for number"):
            double()  # type: ignore[call-arg]


def test_operations_and_choices_need_a_running_pipeline():
    with pytest.raises(InvalidInput, match="a running pipeline"):
        operation("gate", "/registry/gates", {})
    with pytest.raises(InvalidInput, match="a running pipeline"):
        choose("best", {"model": [Handle(_Ended("a", ("output",)))]}, by="model", score=float)


@pytest.mark.parametrize("groups", [{}, {"model": []}, {"model": [1], "score": [1, 2]}])
def test_choices_need_as_many_of_each(groups: dict[str, list[Any]]):
    with pytest.raises(InvalidInput, match="as many"):
        choose("best", groups, by="model", score=float)


@pipeline
def forecast(rows: ms.Dataset, rates: list[float] = [0.1], depth: int | None = None, name: str = "x") -> None: ...


def test_a_pipeline_knows_its_parameters():
    assert {name: parameter.kind for name, parameter in forecast.parameters.items()} == {
        "rows": "dataset",
        "rates": "value",
        "depth": "value",
        "name": "value",
    }
    assert forecast.arguments({"rows": "demand@3"}) == {"rows": "demand@3", "rates": [0.1], "depth": None, "name": "x"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rates", "[1, 2.5]", [1.0, 2.5]),
        ("depth", "3", 3),
        ("depth", "null", None),
        ("name", "7", "7"),
        ("name", "a b", "a b"),
    ],
)
def test_parameters_are_read_from_text(name: str, text: str, value: Any):
    assert forecast.parameters[name].parsed(text) == value


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "parameter rows"),
        ({"rows": "a", "rate": 1}, "parameter rate"),
        ({"rows": "a", "rates": ["x"]}, r"list\[float\]"),
        ({"rows": 3}, "a dataset"),
    ],
)
def test_wrong_parameters_are_refused_naming_them(given: dict[str, Any], found: str):
    with pytest.raises(InvalidInput, match=found):
        forecast.arguments(given)


def test_a_parameter_of_a_type_no_pipeline_can_take_is_refused():
    @pipeline
    def wrong(rows: pa.Table) -> None: ...

    with pytest.raises(InvalidInput, match=r"pyarrow\.Table"):
        _ = wrong.parameters


def test_a_parameter_named_like_an_option_of_run_is_refused():
    def wrong(home: str = "") -> None: ...

    with pytest.raises(InvalidInput, match="'home'"):
        pipeline(wrong)


def test_a_definition_is_plain_and_changes_with_its_code():
    @pipeline
    def one(n: int = 1) -> None:
        double(float(n))

    @pipeline(name="one")
    def other(n: int = 1) -> None:
        double(float(n + 1))

    definition = one.to_definition()
    assert definition["parameters"] == {"n": {"type": "int", "required": False, "default": 1}}
    assert any(name.endswith("double") for name in definition["code"]), "the steps' code belongs to the pipeline's"
    assert one.definition_hash != other.definition_hash
