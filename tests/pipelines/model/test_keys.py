from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.pipelines.model.keys import Input, KeyParts, closest, differences

PARTS = KeyParts(
    code={"project.train": "c1", "helpers.clean": "c2"},
    types={"rows": "pyarrow.Table", "-> output": "float"},
    inputs={"rows": Input("d1", "dataset demand version 1")},
    parameters={"learning_rate": 0.1},
    environment="e1",
)
CHANGED: dict[str, tuple[KeyParts, str]] = {
    "code": (replace(PARTS, code={**PARTS.code, "helpers.clean": "c3"}), "code of helpers.clean changed"),
    "more code": (replace(PARTS, code={**PARTS.code, "helpers.more": "c3"}), "code of helpers.more is now used"),
    "less code": (replace(PARTS, code={"project.train": "c1"}), "code of helpers.clean is no longer used"),
    "input": (
        replace(PARTS, inputs={"rows": Input("d2", "dataset demand version 2")}),
        "input rows changed: dataset demand version 1 → dataset demand version 2",
    ),
    "parameter": (replace(PARTS, parameters={"learning_rate": 0.2}), "parameter learning_rate 0.1 → 0.2"),
    "type": (
        replace(PARTS, types={**PARTS.types, "-> output": "int"}),
        "type of -> output changed: float → int",
    ),
    "environment": (replace(PARTS, environment="e2"), "environment lock changed: e1 → e2"),
    "new argument": (replace(PARTS, parameters={**PARTS.parameters, "depth": 3}), "argument depth is new"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_every_part_changes_the_key_and_is_named(what: str):
    changed, said = CHANGED[what]
    assert changed.key != PARTS.key
    assert differences(PARTS, changed) == [said]


def test_a_label_explains_and_does_not_count():
    renamed = replace(PARTS, inputs={"rows": Input("d1", "another name")})
    assert renamed.key == PARTS.key
    assert differences(PARTS, renamed) == []


def test_known_packages_name_what_changed_in_the_environment():
    before = replace(PARTS, packages={"numpy": "2.4.5", "scipy": "1.17"})
    now = replace(PARTS, environment="e2", packages={"numpy": "2.4.6", "scipy": "1.17"})
    assert differences(before, now) == ["environment lock changed: numpy 2.4.5 → 2.4.6"]


def test_parts_survive_json():
    again = KeyParts.from_json(PARTS.to_json())
    assert again == PARTS
    assert again.key == PARTS.key


def test_the_closest_earlier_execution_is_the_one_compared_with():
    far, near = CHANGED["code"][0], replace(PARTS, parameters={"learning_rate": 0.3})
    both = replace(far, parameters={"learning_rate": 0.3})
    assert closest(PARTS, [both, near]) is near
    assert closest(PARTS, []) is None


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(plain)
def test_any_plain_parameter_keys_alike_after_a_journey_through_json(value: Any):
    parts = replace(PARTS, parameters={"value": value})
    assert KeyParts.from_json(parts.to_json()).key == parts.key
