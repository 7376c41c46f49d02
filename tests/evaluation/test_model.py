"""Verdicts of comparisons and thresholds, and what a measurement may hold."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.evaluation.definitions import metrics
from mainspring.evaluation.model import Measurement, checked_measurements, compare, measure, meets
from mainspring.kernel.canonical import canonical
from mainspring.kernel.errors import InvalidInput

MAE, AUC = metrics.mae.load(), metrics.auc_roc.load()
DAYS = np.repeat(np.arange(40), 24)
RNG = np.random.default_rng(11)
TARGET = RNG.normal(100, 20, DAYS.size)
BASELINE = TARGET + RNG.normal(0, 10, DAYS.size)
BETTER = TARGET + RNG.normal(0, 8, DAYS.size)
WORSE = TARGET + RNG.normal(0, 13, DAYS.size)


def judged(candidate, margin=0.0, **options):
    return compare(MAE, TARGET, candidate, BASELINE, margin=margin, blocks=DAYS, **options)


def test_a_better_candidate_passes_without_a_margin():
    verdict = judged(BETTER)
    assert verdict
    assert (verdict.check, verdict.outcome) == ("mae against baseline", "pass")
    assert verdict.evidence["high"] < 0


def test_a_much_worse_candidate_fails():
    verdict = judged(WORSE, margin=0.05)
    assert not verdict
    assert verdict.outcome == "fail"
    assert verdict.evidence["low"] > verdict.evidence["margin"] > 0


def test_an_equal_candidate_is_inconclusive_without_a_margin_and_passes_with_one():
    assert judged(BASELINE).outcome == "inconclusive"
    assert judged(BASELINE, margin=0.01).outcome == "pass"
    assert judged(TARGET + RNG.permutation(BASELINE - TARGET)).outcome == "inconclusive"


def test_a_negative_margin_asks_for_an_improvement():
    assert judged(BETTER, margin=-0.05).outcome == "pass"
    assert judged(BETTER, margin=-0.5).outcome == "fail"


def test_the_margin_is_a_share_of_the_baselines_value():
    evidence = judged(BETTER, margin=0.05).evidence
    assert evidence["margin"] == pytest.approx(0.05 * MAE.value(TARGET, BASELINE))
    assert evidence["margin_share"] == 0.05


def test_the_evidence_holds_every_number_and_is_json():
    evidence = judged(BETTER, confidence=0.9).evidence
    assert evidence["candidate"] == pytest.approx(MAE.value(TARGET, BETTER))
    assert evidence["baseline"] == pytest.approx(MAE.value(TARGET, BASELINE))
    assert evidence["difference"] == pytest.approx(evidence["candidate"] - evidence["baseline"])
    assert evidence["low"] < evidence["difference"] < evidence["high"]
    assert (evidence["rows"], evidence["blocks"], evidence["confidence"]) == (960, 40, 0.9)
    assert json.loads(canonical(evidence)) == dict(evidence)


def test_one_block_is_never_enough_and_says_why():
    verdict = compare(MAE, TARGET, BETTER, BASELINE, margin=10.0, blocks=np.zeros(DAYS.size))
    assert verdict.outcome == "inconclusive"
    assert (verdict.evidence["low"], verdict.evidence["high"]) == (None, None)
    assert "all rows lie in one block" in verdict.reason


def test_a_metric_that_hangs_on_one_block_is_inconclusive_and_says_why():
    target, score = [1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.2, 0.1]
    verdict = compare(AUC, target, score, score[::-1], margin=0.1, blocks=[0, 0, 1, 2, 3])
    assert verdict.outcome == "inconclusive"
    assert "undefined without one of the 4 blocks" in verdict.reason


def test_a_reason_is_one_sentence_with_the_numbers():
    target, baseline = np.zeros(6), np.array([3.0, 5, 4, 4, 3, 5])
    verdict = compare(MAE, target, baseline - 1, baseline, margin=0.05)
    assert verdict.reason == (
        "Mean absolute error is 3 against 4; the difference of -1 (positive is worse) lies between -1 and -1 "
        "with 0.95 confidence, under the margin of +0.2."
    )
    assert "above the margin of" in judged(WORSE, margin=0.05).reason
    assert "not clear of the margin of" in judged(BASELINE).reason


def test_for_a_metric_to_be_raised_positive_is_still_worse():
    target = np.tile([0, 1], 60)
    good = target + np.random.default_rng(1).normal(0, 0.5, 120)
    bad = target + np.random.default_rng(2).normal(0, 3, 120)
    verdict = compare(AUC, target, bad, good, margin=0.02)
    assert verdict.evidence["difference"] == pytest.approx(verdict.evidence["baseline"] - verdict.evidence["candidate"])
    assert verdict.outcome == "fail"
    assert compare(AUC, target, good, bad).outcome == "pass"


@pytest.mark.parametrize("margin", [math.nan, math.inf, -1.0, -5.0])
def test_a_margin_that_is_no_share_is_refused(margin):
    with pytest.raises(InvalidInput, match="margin: wanted a finite share"):
        judged(BETTER, margin=margin)


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.5))
def test_a_larger_margin_never_turns_a_pass_into_less(margin, more):
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    assert order[judged(WORSE, margin).outcome] <= order[judged(WORSE, margin + more).outcome]


def test_thresholds_are_judged_by_the_interval():
    found = measure(MAE, TARGET, BASELINE, blocks=DAYS)
    assert found.low is not None
    assert found.high is not None
    for at_most, outcome in ((found.high + 0.01, "pass"), (found.value, "inconclusive"), (found.low - 0.01, "fail")):
        assert meets(MAE, TARGET, BASELINE, at_most=at_most, blocks=DAYS).outcome == outcome
    for at_least, outcome in ((found.high + 0.01, "fail"), (found.value, "inconclusive"), (found.low - 0.01, "pass")):
        assert meets(MAE, TARGET, BASELINE, at_least=at_least, blocks=DAYS).outcome == outcome


def test_a_threshold_verdict_has_its_numbers_and_a_sentence():
    verdict = meets(MAE, np.zeros(4), [2, 2, 2, 2], at_most=2.5)
    assert verdict.check == "mae at most 2.5"
    assert verdict.reason == "Mean absolute error is 2, between 2 and 2 with 0.95 confidence: as wanted at most 2.5."
    assert {
        "value": 2.0,
        "bound": "at most",
        "threshold": 2.5,
        "rows": 4,
        "blocks": 4,
    }.items() <= verdict.evidence.items()
    unknown = meets(MAE, [0.0], [2.0], at_most=100)
    assert unknown.outcome == "inconclusive"
    assert "all rows lie in one block" in unknown.reason


@pytest.mark.parametrize("bounds", [{}, {"at_most": 1.0, "at_least": 0.5}])
def test_a_threshold_is_either_at_most_or_at_least(bounds):
    with pytest.raises(InvalidInput, match="exactly one of at_most and at_least"):
        meets(MAE, [0.0], [2.0], **bounds)


def test_a_threshold_is_finite():
    with pytest.raises(InvalidInput, match="threshold: wanted a finite number"):
        meets(MAE, [0.0], [2.0], at_most=math.nan)


GOOD: dict[str, Any] = {
    "metric": "mae",
    "value": 2.0,
    "low": 1.0,
    "high": 3.0,
    "confidence": 0.95,
    "rows": 9,
    "blocks": 3,
    "method": "m",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": ""},
        {"metric": "a\nb"},
        {"value": math.nan},
        {"value": math.inf},
        {"low": 2.5},
        {"high": 1.5},
        {"low": math.nan},
        {"confidence": 1.0},
        {"blocks": 0},
        {"blocks": 10},
    ],
)
def test_a_measurement_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidInput):
        Measurement(**{**GOOD, **wrong})


def test_an_evaluation_measures_something_and_each_metric_once():
    one = Measurement(**GOOD)
    assert checked_measurements([one]) == (one,)
    for wrong in ([], [one, one]):
        with pytest.raises(InvalidInput, match="at least one metric, each once"):
            checked_measurements(wrong)
