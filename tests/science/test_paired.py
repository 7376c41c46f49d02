"""Paired comparison by blocks: exactness of each block left out, edges, and the coverage of the interval."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.kernel.errors import InvalidInput
from mainspring.science import metrics
from mainspring.science.blockwise import (
    Blocks,
    Recomputed,
    absolute_error,
    logarithmic_loss,
    ranking,
    root_squared_error,
)
from mainspring.science.intervals import Interval, block_interval, jackknife_error
from mainspring.science.paired import metric_interval, paired_difference

METRICS = [
    (absolute_error, metrics.mean_absolute_error),
    (root_squared_error, metrics.root_mean_squared_error),
    (logarithmic_loss, metrics.log_loss),
    (ranking, metrics.roc_auc),
]


def binary_rows(rng, blocks, *, digits=2):
    """Target, probability, weight and block of rows whose blocks differ in size and difficulty."""
    block = rng.permutation(np.repeat(np.arange(blocks), rng.integers(2, 9, blocks)))
    target = np.concatenate([[0, 1], rng.integers(0, 2, block.size - 2)])
    hard = rng.normal(size=blocks)[block]
    prediction = np.round(1 / (1 + np.exp(-(target - 0.5 + hard + rng.normal(size=block.size)))), digits)
    return target, prediction, rng.integers(0, 3, block.size) + 0.5, block


@pytest.mark.parametrize(("prepare", "metric"), METRICS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [1, 12], ids=["ties", "no ties"])
@pytest.mark.parametrize("blocks", [2, 7, 40])
def test_each_block_left_out_gives_what_the_metric_of_the_other_rows_is(prepare, metric, weighted, digits, blocks):
    target, prediction, weight, ids = binary_rows(np.random.default_rng(blocks), blocks, digits=digits)
    weight = weight if weighted else None
    of_rows = Blocks.of(ids, target.size)
    fast, slow = prepare(target, prediction, weight, of_rows), Recomputed(metric, target, prediction, weight, of_rows)
    assert fast.full() == pytest.approx(slow.full(), rel=1e-12)
    np.testing.assert_allclose(fast.without_each(), slow.without_each(), rtol=1e-9, atol=1e-12)


def test_the_area_is_unknown_where_one_block_holds_all_rows_of_a_class():
    target, score, blocks = [1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.2, 0.85], [0, 0, 0, 1, 2]
    statistic = ranking(target, score, None, Blocks.of(blocks, 5))
    assert np.isnan(statistic.without_each()).tolist() == [True, False, False]
    found = metric_interval(ranking, target, score, blocks=blocks)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_the_interval_of_a_mean_of_single_rows_is_the_textbook_t_interval():
    # Ten errors with mean 5.5 and standard deviation 3.0277; t(9, 97.5%) = 2.2622.
    found = metric_interval(absolute_error, np.zeros(10), np.arange(1.0, 11.0))
    assert found.estimate == 5.5
    assert found.high - 5.5 == pytest.approx(2.2622 * 3.0277 / math.sqrt(10), rel=1e-4)
    assert 5.5 - found.low == pytest.approx(found.high - 5.5)


def test_the_jackknife_error_of_a_mean_is_its_standard_error():
    sample = np.array([1.0, 4.0, 4.5, 9.0])
    others = (sample.sum() - sample) / 3
    assert jackknife_error(others) == pytest.approx(sample.std(ddof=1) / 2)


@pytest.mark.parametrize("blocks", [["monday"] * 4, [7, 7, 7, 7]])
def test_one_block_tells_nothing(blocks):
    found = paired_difference(
        absolute_error, [1, 2, 3, 4], [1, 2, 3, 5], [2, 3, 4, 5], greater_is_better=False, blocks=blocks
    ).difference
    assert found == Interval(-0.75, -math.inf, math.inf, 0.95, 1)


def test_two_blocks_give_a_finite_but_very_wide_interval():
    found = metric_interval(absolute_error, np.zeros(4), [1, 2, 3, 5], blocks=[0, 0, 1, 1])
    assert found.high - found.low == pytest.approx(2 * 12.7062 * 1.25, rel=1e-4)


def test_equal_arms_differ_by_exactly_nothing():
    target, prediction, _, blocks = binary_rows(np.random.default_rng(1), 12)
    for prepare, _ in METRICS:
        found = paired_difference(prepare, target, prediction, prediction, greater_is_better=False, blocks=blocks)
        assert (found.difference.low, found.difference.estimate, found.difference.high) == (0.0, 0.0, 0.0)


def test_positive_is_worse_whichever_way_the_metric_points():
    target = np.array([0, 1, 0, 1, 0, 1])
    good, bad = np.where(target, 0.9, 0.1), np.array([0.6, 0.4, 0.7, 0.8, 0.2, 0.5])
    error = paired_difference(logarithmic_loss, target, bad, good, greater_is_better=False)
    area = paired_difference(ranking, target, bad, good, greater_is_better=True)
    assert error.difference.estimate == error.candidate - error.baseline > 0
    assert area.difference.estimate == area.baseline - area.candidate > 0


def test_a_block_that_is_hard_for_both_arms_cancels_out():
    rng = np.random.default_rng(3)
    block = np.repeat(np.arange(30), 24)
    target = np.zeros(block.size)
    hard = np.exp(2 * rng.normal(size=30))[block]
    baseline = hard + rng.normal(size=block.size)
    found = paired_difference(absolute_error, target, baseline + 0.5, baseline, greater_is_better=False, blocks=block)
    alone = metric_interval(absolute_error, target, baseline, blocks=block)
    assert found.difference.high - found.difference.low < (alone.high - alone.low) / 10


def test_rows_of_one_block_make_the_interval_wider_than_if_they_were_independent():
    rng = np.random.default_rng(4)
    block = np.repeat(np.arange(30), 24)
    errors = np.abs(rng.normal(size=30)[block]) + 0.1 * rng.normal(size=block.size)
    by_day = metric_interval(absolute_error, np.zeros(block.size), errors, blocks=block)
    by_row = metric_interval(absolute_error, np.zeros(block.size), errors)
    assert (by_day.high - by_day.low) > 3 * (by_row.high - by_row.low)


@pytest.mark.parametrize(
    "ids", [[3, 1, 3, 1], ["b", "a", "b", "a"], np.array(["2024-01-02", "2024-01-01"] * 2, dtype="datetime64[D]")]
)
def test_block_ids_may_be_of_any_sortable_type_and_order(ids):
    found = Blocks.of(ids, 4)
    assert (found.numbers.tolist(), found.count) == ([1, 0, 1, 0], 2)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2], "blocks: wanted 4 rows"),
        ([[1], [2], [3], [4]], "blocks: wanted an array of shape"),
        ([1.0, 2.0, np.nan, 4.0], "blocks: wanted a block id in every row, found nan at index 2"),
        (["a", None, "b", "b"], "blocks: wanted a block id in every row, found None at index 1"),
        (np.array(["2024-01-01", "NaT", "NaT", "NaT"], dtype="datetime64[D]"), "found NaT at index 1"),
        (np.array([1, "a", 2, "b"], dtype=object), "blocks: wanted ids of one sortable type"),
    ],
)
def test_wrong_block_ids_are_refused_by_name(ids, message):
    with pytest.raises(InvalidInput, match=message):
        Blocks.of(ids, 4)


def test_bad_predictions_are_refused_by_the_name_of_their_arm():
    with pytest.raises(InvalidInput, match="candidate prediction: wanted finite numbers, found nan at index 1"):
        paired_difference(absolute_error, [1, 2], [1, np.nan], [1, 2], greater_is_better=False)
    with pytest.raises(InvalidInput, match="baseline prediction: wanted 2 rows"):
        paired_difference(absolute_error, [1, 2], [1, 2], [1, 2, 3], greater_is_better=False)
    with pytest.raises(InvalidInput, match="target: wanted at least one row"):
        paired_difference(absolute_error, [], [], [], greater_is_better=False)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, np.nan])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(InvalidInput, match="confidence: wanted a number above 0 and under 1"):
        metric_interval(absolute_error, [1, 2], [2, 3], confidence=confidence)


@pytest.mark.parametrize("size", [1e-170, 1e160, 1e300])
def test_tiny_and_huge_errors_keep_their_interval(size):
    small = metric_interval(root_squared_error, np.zeros(5), np.arange(1.0, 6.0))
    large = metric_interval(root_squared_error, np.zeros(5), np.arange(1.0, 6.0) * size)
    assert large.estimate == pytest.approx(small.estimate * size, rel=1e-12, abs=0)
    assert large.high == pytest.approx(small.high * size, rel=1e-9, abs=0)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_swapping_the_arms_mirrors_the_interval_and_row_order_does_not_matter(seed, blocks):
    rng = np.random.default_rng(seed)
    target, one, weight, ids = binary_rows(rng, blocks)
    other = np.clip(one + rng.normal(0, 0.1, one.size), 0, 1)
    order = rng.permutation(target.size)
    for prepare, _ in METRICS:
        there = paired_difference(prepare, target, one, other, greater_is_better=False, blocks=ids, weight=weight)
        back = paired_difference(
            prepare,
            target[order],
            other[order],
            one[order],
            greater_is_better=False,
            blocks=ids[order],
            weight=weight[order],
        )
        assert back.difference.estimate == pytest.approx(-there.difference.estimate, abs=1e-9)
        if math.isfinite(there.difference.low):
            assert there.difference.low == pytest.approx(-back.difference.high, rel=1e-6, abs=1e-9)


@given(st.floats(0.5, 0.9), st.floats(0.01, 0.09))
def test_more_confidence_is_a_wider_interval(confidence, more):
    statistic = absolute_error(np.zeros(6), np.arange(6.0), None, Blocks.of(None, 6))
    narrow = block_interval(statistic, confidence=confidence)
    wide = block_interval(statistic, confidence=confidence + more)
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


# Coverage. Days of 1 to 24 rows share an error of their own in each arm; truth is known or averaged
# over a million days. `heavy` days scale their errors log-normally, with t(4) noise inside.


def regression_days(rng, days, *, heavy=False):
    day = np.repeat(np.arange(days), rng.integers(1, 25, days))
    noise, n = rng.normal(size=(2, days))[:, day], day.size
    if heavy:
        return np.zeros(n), *(np.exp(noise) * rng.standard_t(4, size=(2, n))), day
    target = rng.normal(size=n)
    candidate = target + 0.7 * noise[0] + rng.normal(size=n)
    return target, candidate, target + noise[1] + 0.9 * rng.normal(size=n), day


def ranking_days(rng, days):
    day = np.repeat(np.arange(days), rng.integers(6, 25, days))
    target = rng.integers(0, 2, day.size)
    noise = rng.normal(size=(2, days))[:, day]
    candidate = target + 0.5 * noise[0] + rng.normal(size=day.size)
    return target, candidate, 1.5 * target + 0.8 * noise[1] + rng.normal(size=day.size), day


def coverage(prepare, make, truth, *, days, simulations, confidence=0.95):
    rng = np.random.default_rng(days)
    held = 0
    for _ in range(simulations):
        target, candidate, baseline, day = make(rng, days)
        found = paired_difference(
            prepare, target, candidate, baseline, greater_is_better=False, blocks=day, confidence=confidence
        ).difference
        held += found.low <= truth <= found.high
    return held / simulations


def heavy_days(rng, days):
    return regression_days(rng, days, heavy=True)


NORMAL_MEAN = math.sqrt(2 / math.pi)
"""Mean of |z| for standard normal z."""
CASES = [
    (absolute_error, regression_days, NORMAL_MEAN * (math.sqrt(1.49) - math.sqrt(1.81))),
    (root_squared_error, regression_days, math.sqrt(1.49) - math.sqrt(1.81)),
    (absolute_error, heavy_days, 0.0),
    (root_squared_error, heavy_days, 0.0),
]
NORMAL = NormalDist().cdf
CASES.append(
    # P(z < gap / sqrt(2 × variance)) of each arm, for pairs of different days.
    (ranking, ranking_days, NORMAL(1 / math.sqrt(2 * 1.25)) - NORMAL(1.5 / math.sqrt(2 * 1.64)))
)


@pytest.mark.parametrize("days", [2, 5, 10, 30, 100])
@pytest.mark.parametrize(("prepare", "make", "truth"), CASES)
def test_the_interval_holds_the_truth_about_as_often_as_declared(prepare, make, truth, days):
    # With 400 simulations the count alone has a standard error of 0.011.
    assert 0.89 <= coverage(prepare, make, truth, days=days, simulations=400) <= 0.99


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_other_confidences_are_held_too(confidence):
    prepare, make, truth = CASES[0]
    found = coverage(prepare, make, truth, days=20, simulations=400, confidence=confidence)
    assert found == pytest.approx(confidence, abs=0.05)


@pytest.mark.soak
@pytest.mark.parametrize("days", [2, 3, 5, 8, 10, 15, 20, 30, 60, 200])
@pytest.mark.parametrize(("prepare", "make", "truth"), CASES)
def test_the_interval_holds_the_truth_within_four_points_of_what_is_declared(prepare, make, truth, days):
    assert 0.91 <= coverage(prepare, make, truth, days=days, simulations=5000) <= 0.98
