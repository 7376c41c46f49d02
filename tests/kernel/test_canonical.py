from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.kernel.canonical import canonical, digest

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_a_json_value_survives_the_canonical_form(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_what_json_has_no_number_for_becomes_text() -> None:
    assert canonical([math.nan, math.inf, -math.inf]) == b'["NaN","Infinity","-Infinity"]'


def test_the_same_moment_in_two_zones_is_one_value() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert canonical(noon) == canonical(noon.astimezone(timezone(timedelta(hours=5))))


def test_a_set_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="set"):
        canonical({1, 2})
