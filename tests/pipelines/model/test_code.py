"""What changes a step's code hash and what does not: the invalidation matrix."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.pipelines.definitions import step
from mainspring.pipelines.model.code import Trace, trace

Load = Callable[..., Any]

HELPERS = '''
import math

SCALE = 2.0

def leaf(value):
    return value * SCALE

def unused(value):
    return value - 1

class Cleaner:
    """Cleans."""
    strength = 3

    def clean(self, value):
        return leaf(value) + self.strength
'''
MAIN = """
import helpers_m
from helpers_m import Cleaner

LIMIT = 10

def middle(value):
    return helpers_m.leaf(value) + LIMIT

def train(value, rate=0.1):
    return middle(value) * rate

def fit(value):
    return Cleaner().clean(value)

def late(value):
    from helpers_m import leaf
    return leaf(value)

def later(value):
    import helpers_m
    return helpers_m.leaf(value)

def recursive(value):
    return value if value < 1 else mutual(value - 1)

def mutual(value):
    return recursive(value - 1)
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes both modules and gives the trace of a function of the main one, freshly imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def fresh(function: str, *, main: str = MAIN, helpers: str = HELPERS) -> Trace:
        for name, text in (("helpers_m", helpers), ("main_m", main)):
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return trace(getattr(importlib.import_module("main_m"), function))

    yield fresh
    for name in ("helpers_m", "main_m"):
        sys.modules.pop(name, None)


CHANGES = {
    "a constant of a helper's helper": ("train", MAIN, HELPERS.replace("SCALE = 2.0", "SCALE = 3.0")),
    "a helper's helper": ("train", MAIN, HELPERS.replace("value * SCALE", "value / SCALE")),
    "a helper": ("train", MAIN.replace("+ LIMIT", "- LIMIT"), HELPERS),
    "a constant of a helper": ("train", MAIN.replace("LIMIT = 10", "LIMIT = 11"), HELPERS),
    "an int that becomes a float": ("train", MAIN.replace("LIMIT = 10", "LIMIT = 10.0"), HELPERS),
    "a default": ("train", MAIN.replace("rate=0.1", "rate=0.2"), HELPERS),
    "the function itself": ("train", MAIN.replace("middle(value) * rate", "middle(value) + rate"), HELPERS),
    "a method": ("fit", MAIN, HELPERS.replace("+ self.strength", "- self.strength")),
    "a class attribute": ("fit", MAIN, HELPERS.replace("strength = 3", "strength = 4")),
    "what a method calls": ("fit", MAIN, HELPERS.replace("value * SCALE", "value / SCALE")),
    "what a local import brings": ("late", MAIN, HELPERS.replace("value * SCALE", "value / SCALE")),
    "what a locally imported module holds": ("later", MAIN, HELPERS.replace("value * SCALE", "value / SCALE")),
    "one of two that call each other": (
        "recursive",
        MAIN.replace("recursive(value - 1)", "recursive(value - 2)"),
        HELPERS,
    ),
}
NO_CHANGES = {
    "a comment": ("train", MAIN.replace("LIMIT = 10", "LIMIT = 10  # the limit"), HELPERS),
    "empty lines": ("train", "\n\n\n" + MAIN.replace("\ndef middle", "\n\n\n\ndef middle"), HELPERS),
    "a docstring": ("train", MAIN.replace("rate=0.1):", 'rate=0.1):\n    """Trains."""'), HELPERS),
    "a helper's docstring": ("train", MAIN, HELPERS.replace("def leaf(value):", 'def leaf(value):\n    """Leaf."""')),
    "a class docstring": ("fit", MAIN, HELPERS.replace('"""Cleans."""', '"""Cleans well."""')),
    "a function nobody calls": ("train", MAIN, HELPERS.replace("value - 1", "value - 2")),
    "a class nobody uses": ("train", MAIN, HELPERS.replace("strength = 3", "strength = 4")),
    "another step": ("train", MAIN.replace("Cleaner().clean(value)", "Cleaner().clean(value) + 1"), HELPERS),
    "the order of definitions": ("train", MAIN.replace("\nLIMIT = 10\n", "\n") + "\nLIMIT = 10\n", HELPERS),
    "an annotation of a helper": (
        "train",
        MAIN.replace("def middle(value):", "def middle(value: float) -> float:"),
        HELPERS,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changing_what_a_step_reaches_changes_its_hash(load: Load, what: str):
    function, main, helpers = CHANGES[what]
    assert load(function).hash != load(function, main=main, helpers=helpers).hash


@pytest.mark.parametrize("what", NO_CHANGES)
def test_changing_what_does_not_matter_keeps_the_hash(load: Load, what: str):
    function, main, helpers = NO_CHANGES[what]
    assert load(function).hash == load(function, main=main, helpers=helpers).hash


def test_the_parts_name_what_changed(load: Load):
    before, after = load("train"), load("train", helpers=HELPERS.replace("value * SCALE", "value / SCALE"))
    changed = [name for name in before.parts if before.parts[name] != after.parts[name]]
    assert changed == ["helpers_m.leaf"]


def test_installed_code_counts_by_name_only(load: Load):
    main = "import json\ndef train(value):\n    return json.dumps(value)\n"
    assert set(load("train", main=main).parts) == {"main_m.train"}


def test_a_step_is_seen_through(load: Load):
    inner = "import mainspring as ms\n@ms.step\ndef inner(x: int) -> int:\n    return x + 1\n"
    main = inner + "def train(x):\n    return inner(x)\n"
    assert load("train", main=main).hash != load("train", main=main.replace("x + 1", "x + 2")).hash


def test_decorated_and_cached_helpers_are_seen_through(load: Load):
    main = (
        "import functools\n@functools.lru_cache\ndef helper(x):\n    return x + 1\n"
        "class C:\n    @functools.cached_property\n    def value(self):\n        return 1\n"
        "def train(x):\n    return helper(x) + C().value\n"
    )
    base = load("train", main=main).hash
    assert base != load("train", main=main.replace("x + 1", "x + 2")).hash
    assert base != load("train", main=main.replace("return 1", "return 2")).hash


def test_functions_inside_installed_objects_are_seen_through(load: Load):
    main = (
        "from sklearn.preprocessing import FunctionTransformer\ndef helper(x):\n    return x + 1\n"
        "transform = FunctionTransformer(helper)\ndef train(x):\n    return transform.transform(x)\n"
    )
    assert load("train", main=main).hash != load("train", main=main.replace("x + 1", "x + 2")).hash


def test_a_module_used_as_a_value_counts_as_a_whole(load: Load):
    main = "import helpers_m\ndef train(name, x):\n    return getattr(helpers_m, name)(x)\n"
    assert (
        load("train", main=main).hash
        != load("train", main=main, helpers=HELPERS.replace("value - 1", "value - 2")).hash
    )


def test_closures_and_nested_functions_count():
    def made(offset: int, factor: int) -> Callable[[int], int]:
        def add(value: int) -> int:
            return value + offset

        return lambda value: add(value) * factor

    assert trace(made(1, 2)).hash == trace(made(1, 2)).hash
    assert len({trace(made(a, b)).hash for a in (1, 2) for b in (1, 2)}) == 4


def test_what_cannot_be_pickled_does_not_stop_a_trace():
    import threading

    lock = threading.Lock()

    def guarded(value: int) -> int:
        with lock:
            return value

    assert trace(guarded).hash == trace(guarded).hash


def test_the_hash_of_a_set_does_not_depend_on_its_order():
    first, second = {f"k{n}" for n in range(50)}, {f"k{n}" for n in reversed(range(50))}

    def reader(names: set[str]) -> Callable[[], int]:
        return lambda: len(names)

    one, other = reader(first), reader(second)
    other.__code__ = one.__code__
    assert trace(one).hash == trace(other).hash


@step
def one(value: int) -> int:
    return value + 1


def test_a_trace_is_the_same_every_time():
    assert trace(one.fn) == trace(one.fn)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


def _constant(value: Any) -> str:
    namespace: dict[str, Any] = {"VALUE": value, "__name__": "made_up"}
    exec("def read():\n    return VALUE\n", namespace)
    return trace(namespace["read"]).hash


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values, values)
def test_two_global_constants_hash_alike_exactly_if_they_are_alike(first: Any, second: Any):
    assert (_constant(first) == _constant(second)) == (_shape(first) == _shape(second))


def _shape(value: Any) -> Any:
    """Equality as a step sees it: 1, 1.0 and True differ, the order of a dictionary does not count."""
    if isinstance(value, dict):
        return ("dict", frozenset((key, _shape(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(map(_shape, value)))
    return (type(value).__name__, repr(value))
