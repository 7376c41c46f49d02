"""The metrics against scikit-learn, at the edges, and by property."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mainspring.kernel.errors import InvalidInput
from mainspring.science.metrics import log_loss, mean_absolute_error, roc_auc, root_mean_squared_error

REGRESSION = [
    (mean_absolute_error, reference.mean_absolute_error),
    (root_mean_squared_error, reference.root_mean_squared_error),
]
BINARY = [
    (log_loss, lambda t, p, sample_weight=None: reference.log_loss(t, p, sample_weight=sample_weight, labels=[0, 1])),
    (roc_auc, reference.roc_auc_score),
]
ALL = [mean_absolute_error, root_mean_squared_error, log_loss, roc_auc]
TARGET, PREDICTION = [0.0, 1.0, 1.0], [0.25, 0.5, 0.75]

values = st.floats(-1e6, 1e6)
rows = st.integers(1, 30)


def close(found, wanted):
    return found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("ours", "theirs"), REGRESSION)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_regression_metrics_equal_scikit_learn(ours, theirs, weighted, n):
    rng = np.random.default_rng(n)
    target, prediction = rng.normal(100, 30, n), rng.normal(100, 30, n)
    weight = rng.exponential(size=n) if weighted else None
    assert close(ours(target, prediction, weight), theirs(target, prediction, sample_weight=weight))


@pytest.mark.parametrize(("ours", "theirs"), BINARY)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [0, 1, 2, 12], ids="rounded to {} digits".format)
def test_binary_metrics_equal_scikit_learn_with_ties_and_extreme_probabilities(ours, theirs, weighted, digits):
    rng = np.random.default_rng(digits)
    n = 800
    target = rng.integers(0, 2, n)
    prediction = np.clip(np.round(rng.normal(0.4 + 0.2 * target, 0.4), digits), 0, 1)
    assert {0.0, 1.0} <= set(prediction)
    weight = rng.integers(0, 4, n) * 0.37 if weighted else None
    assert close(ours(target, prediction, weight), theirs(target, prediction, sample_weight=weight))


@pytest.mark.parametrize("probability", [0.0, 5e-324, 1e-300, 1e-16, 0.5, 1 - 1e-16, 1.0])
@pytest.mark.parametrize("happened", [0, 1])
def test_log_loss_clips_as_scikit_learn_does(probability, happened):
    wanted = reference.log_loss([happened], [probability], labels=[0, 1])
    assert close(log_loss([happened], [probability]), wanted)


def test_log_loss_charges_a_saturated_float32_less_than_a_saturated_float64():
    narrow = np.array([0.0, 0.25], dtype=np.float32)
    assert log_loss([1, 1], narrow) == pytest.approx(reference.log_loss([1, 1], narrow, labels=[0, 1]), rel=1e-6)
    assert log_loss([1, 1], narrow) < log_loss([1, 1], narrow.astype(np.float64))


def test_auc_counts_a_tie_as_half():
    assert roc_auc([0, 1], [0.5, 0.5]) == 0.5
    assert roc_auc([0, 0, 1, 1], [1, 2, 2, 3]) == 3.5 / 4


@pytest.mark.parametrize("metric", ALL)
def test_empty_arrays_are_refused_by_name(metric):
    with pytest.raises(InvalidInput, match="target: wanted at least one row"):
        metric([], [])


@pytest.mark.parametrize("metric", ALL)
def test_arrays_of_unequal_length_are_refused_by_name(metric):
    with pytest.raises(InvalidInput, match="prediction: wanted 3 rows"):
        metric(TARGET, [0.5, 0.5])
    with pytest.raises(InvalidInput, match="weight: wanted 3 rows"):
        metric(TARGET, PREDICTION, [1.0])


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("name", ["target", "prediction", "weight"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_a_value_that_is_not_finite_is_refused_with_its_first_row(metric, name, bad):
    given = {"target": list(TARGET), "prediction": list(PREDICTION), "weight": [1.0, 1.0, 1.0]}
    given[name][1] = given[name][2] = bad
    with pytest.raises(InvalidInput, match=rf"^{name}: .* at index 1"):
        metric(**given)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prediction": ["a", "b", "c"]}, "prediction: wanted numbers"),
        ({"prediction": [0.1, "b", None]}, "prediction: wanted numbers"),
        ({"prediction": [[0.1], [0.2], [0.3]]}, r"prediction: wanted an array of shape \(n,\), found shape \(3, 1\)"),
        ({"prediction": [[0.1], [0.2, 0.3]]}, "prediction: wanted an array"),
        ({"weight": [1, -1, 1]}, "weight: wanted weights of 0 or more, found -1.0 at index 1"),
        ({"weight": [0, 0, 0]}, "weight: wanted a positive sum"),
    ],
)
def test_other_wrong_arrays_are_refused_by_name(metric, given, message):
    with pytest.raises(InvalidInput, match=message):
        metric(**{"target": TARGET, "prediction": PREDICTION, **given})


@pytest.mark.parametrize("metric", [log_loss, roc_auc])
def test_a_target_that_is_not_binary_is_refused(metric):
    with pytest.raises(InvalidInput, match="target: wanted 0 or 1, found 2.0 at index 1"):
        metric([0, 2, 1], PREDICTION)


@pytest.mark.parametrize("bad", [-1e-9, 1.5])
def test_a_probability_outside_its_range_is_refused(bad):
    with pytest.raises(InvalidInput, match="prediction: wanted probabilities from 0 to 1, found .* at index 2"):
        log_loss([0, 1, 1], [0.5, 0.5, bad])


@pytest.mark.parametrize(("target", "weight"), [([1, 1], None), ([0, 0], None), ([0, 1], [1, 0])])
def test_the_area_under_the_curve_of_one_class_is_undefined(target, weight):
    with pytest.raises(InvalidInput, match="undefined"):
        roc_auc(target, [0.1, 0.9], weight)


def test_constant_predictions_have_defined_values():
    assert mean_absolute_error([5, 5], [5, 5]) == root_mean_squared_error([5, 5], [5, 5]) == 0.0
    assert roc_auc([0, 1, 1], [0.3, 0.3, 0.3]) == 0.5


@pytest.mark.parametrize("metric", [mean_absolute_error, root_mean_squared_error])
@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e-160, 1e160, 1e300, 1.7976931348623157e308])
def test_tiny_and_huge_errors_neither_vanish_nor_overflow(metric, size):
    assert metric([0.0, 0.0, 0.0], [size, -size, size]) == pytest.approx(size, rel=1e-12, abs=0)


@pytest.mark.parametrize("metric", [mean_absolute_error, root_mean_squared_error])
def test_a_difference_too_large_for_a_float_is_refused(metric):
    with pytest.raises(InvalidInput, match="prediction: .* at index 1"):
        metric([0.0, 1e308], [0.0, -1e308])


@pytest.mark.parametrize("metric", ALL)
def test_huge_weights_count_by_their_ratio(metric):
    assert close(metric(TARGET, PREDICTION, [1e308, 1e308, 5e307]), metric(TARGET, PREDICTION, [2, 2, 1]))


@pytest.mark.parametrize("metric", ALL)
def test_integers_booleans_and_objects_are_numbers(metric):
    wanted = metric(TARGET, PREDICTION)
    assert metric(np.array([False, True, True]), np.array(PREDICTION, dtype=object)) == wanted
    assert metric(np.array([0, 1, 1], dtype=np.uint8), PREDICTION) == wanted


@st.composite
def pairs(draw):
    n = draw(rows)
    return draw(arrays(float, n, elements=values)), draw(arrays(float, n, elements=values))


@st.composite
def scored(draw):
    """Both classes, and scores on a grid so that ties are common and transforms keep their order."""
    ones, zeros = draw(st.lists(st.integers(0, 20), min_size=1)), draw(st.lists(st.integers(0, 20), min_size=1))
    return np.array([1] * len(ones) + [0] * len(zeros)), np.array(ones + zeros) / 20


@given(pairs())
def test_errors_are_symmetric_bounded_and_ordered(pair):
    target, prediction = pair
    largest = np.abs(target - prediction).max()
    absolute, squared = mean_absolute_error(target, prediction), root_mean_squared_error(target, prediction)
    assert absolute == mean_absolute_error(prediction, target)
    assert squared == root_mean_squared_error(prediction, target)
    assert 0 <= absolute <= squared * (1 + 1e-12)
    assert squared <= largest * (1 + 1e-12)


@pytest.mark.parametrize("metric", ALL)
@given(data=scored(), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(metric, data, seed):
    target, prediction = data
    order = np.random.default_rng(seed).permutation(target.size)
    assert close(metric(target[order], prediction[order]), metric(target, prediction))


@pytest.mark.parametrize("metric", ALL)
@given(data=scored(), seed=st.integers(0, 2**32 - 1))
def test_a_weight_of_two_is_the_row_twice(metric, data, seed):
    target, prediction = data
    times = np.random.default_rng(seed).integers(1, 4, target.size)
    assert close(metric(target, prediction, times), metric(np.repeat(target, times), np.repeat(prediction, times)))


@given(scored())
def test_the_area_is_bounded_and_unmoved_by_monotone_transforms(data):
    target, score = data
    area = roc_auc(target, score)
    assert 0 <= area <= 1
    assert roc_auc(target, np.exp(3 * score) - 7) == area
    assert close(roc_auc(target, -score), 1 - area)
    assert close(roc_auc(1 - target, score), 1 - area)


@given(scored())
def test_log_loss_is_bounded_by_the_clip_and_symmetric_in_the_classes(data):
    target, probability = data
    loss = log_loss(target, probability)
    assert 0 <= loss <= -np.log(np.finfo(float).eps)
    assert close(log_loss(1 - target, 1 - probability), loss)
