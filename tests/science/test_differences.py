"""Distances between two arrays of predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mainspring.kernel.errors import InvalidInput
from mainspring.science.differences import Differences, differences


def test_equal_arrays_do_not_differ():
    assert differences([1.0, 2.0], [1, 2]) == Differences(2, 0.0, 0.0, 0, 0.0, None)


def test_distances_are_those_of_a_hand_worked_example():
    found = differences([1.0, 10.0, 100.0, 0.0], [1.0, 10.5, 90.0, 0.0], absolute=0, relative=0.06)
    assert found == Differences(4, 10.0, 1 - 90 / 100, 1, 0.25, 2)


def test_the_tolerance_itself_is_within():
    assert differences([0.0, 8.0], [0.5, 8.5], absolute=0.5, relative=0).rows_beyond == 0
    assert differences([0.0, 8.0], [0.5, 10.5], absolute=0.5, relative=0.25).rows_beyond == 0


def test_a_row_of_several_outputs_is_beyond_if_one_of_them_is():
    found = differences([[0.1, 0.9], [0.2, 0.8], [0.5, 0.5]], [[0.1, 0.9], [0.2, 0.7], [0.4, 0.6]])
    assert (found.rows, found.rows_beyond, found.worst_row) == (3, 2, 1)


def test_missing_and_infinite_values_are_equal_only_to_their_like():
    like = [np.nan, np.inf, -np.inf]
    assert differences(like, like).share_beyond == 0
    found = differences([np.nan, np.inf, 1.0, np.inf], [1.0, -np.inf, np.nan, np.inf])
    assert (found.rows_beyond, found.max_absolute, found.max_relative) == (3, np.inf, 2.0)


def test_labels_are_equal_or_not():
    found = differences(["cat", "dog", "cat"], ["cat", "cat", "cat"])
    assert found == Differences(3, 1.0, 1.0, 1, 1 / 3, 1)
    assert differences([True, False], [1, 0]).rows_beyond == 0


def test_float32_of_the_same_model_is_within_the_default_tolerance():
    exact = np.random.default_rng(0).normal(0, 1000, 10_000)
    found = differences(exact, exact.astype(np.float32))
    assert found.rows_beyond == 0
    assert 0 < found.max_relative < 1e-7


def test_huge_and_tiny_values_do_not_overflow_the_relative_distance():
    found = differences([1.7e308, 5e-324], [-1.7e308, 0.0])
    assert (found.max_absolute, found.max_relative, found.worst_row) == (np.inf, 2.0, 0)


@pytest.mark.parametrize(
    ("reference", "other", "message"),
    [
        ([], [], "reference: wanted shape"),
        (1.0, 1.0, "reference: wanted shape"),
        ([1, 2], [1, 2, 3], r"other: wanted shape \(2,\), as the reference has, found shape \(3,\)"),
        ([1, 2], [[1], [2]], "other: wanted shape"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(reference, other, message):
    with pytest.raises(InvalidInput, match=message):
        differences(reference, other)


@pytest.mark.parametrize("tolerance", [{"absolute": -1}, {"relative": np.nan}, {"absolute": np.inf}])
def test_a_tolerance_is_a_finite_number_of_zero_or_more(tolerance):
    with pytest.raises(InvalidInput, match="tolerance: wanted a finite number"):
        differences([1], [1], **tolerance)


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(*[arrays(float, n, elements=st.floats())] * 2)))
def test_distances_are_symmetric_and_bounded(pair):
    there, back = differences(*pair), differences(pair[1], pair[0])
    assert (there.max_absolute, there.max_relative) == (back.max_absolute, back.max_relative)
    assert there.max_absolute >= 0
    assert 0 <= there.max_relative <= 2
    assert 0 <= there.share_beyond <= 1
    assert (there.max_absolute == 0) == (there.worst_row is None)
