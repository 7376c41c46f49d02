"""Gates: a candidate against what serves, on the same rows, by a job in an isolated process."""

from __future__ import annotations

import pytest

from mainspring.access.service import SYSTEM
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.registry.model import Candidate
from tests.registry.conftest import holdout_rows, predicted, trained


def test_without_a_champion_a_candidate_is_judged_against_the_constant_predictor(workshop):
    gate = workshop.gate("good")
    assert gate.verdict
    assert gate.champion_id is None
    assert gate.verdict.check == "mae against the constant predictor"
    constant = abs(holdout_rows()["cnt"].to_numpy() - trained("good").baseline).mean()
    assert gate.verdict.evidence["baseline"] == pytest.approx(constant)


def test_a_candidate_that_says_no_more_than_the_constant_is_not_passed(workshop):
    assert workshop.gate("constant", margin=0.0).verdict.outcome != "pass"


def test_the_champions_predictions_are_made_on_the_same_rows_by_the_job(workshop):
    champion = workshop.champion("good")
    gate = workshop.gate("plain")
    assert gate.verdict.outcome == "fail"
    assert gate.champion_id == champion.id
    expected = abs(predicted(trained("good")).prediction - holdout_rows()["cnt"].to_numpy()).mean()
    assert gate.verdict.evidence["baseline"] == pytest.approx(expected, rel=1e-12)
    assert gate.verdict.evidence["blocks"] > 50


def test_the_verdict_names_the_champion_it_was_made_against(workshop):
    workshop.champion("good")
    verdict = workshop.gate("plain").verdict
    assert verdict.outcome == "fail"
    assert verdict.evidence["against"] == "bike:1"


def test_a_better_candidate_passes_and_an_equal_one_passes_only_with_a_margin(workshop):
    workshop.champion("plain")
    assert workshop.gate("good", margin=0.0).verdict.outcome == "pass"
    workshop.champion("good")
    assert workshop.gate("other", margin=0.0).verdict.outcome == "inconclusive"
    assert workshop.gate("other", margin=0.05).verdict.outcome == "pass"


def test_a_tie_follows_the_policy(workshop):
    workshop.champion("good")
    assert not workshop.gate("other", margin=0.0).verdict
    by_policy = workshop.gate("other", margin=0.0, tie="pass").verdict
    assert by_policy
    assert "A tie passes" in by_policy.reason


def test_an_absolute_threshold_must_hold_as_well(workshop):
    assert workshop.gate("good", threshold=1000.0).verdict.outcome == "pass"
    missed = workshop.gate("good", threshold=1.0).verdict
    assert missed.outcome == "fail"
    assert missed.evidence["threshold"]["bound"] == "at most"


def test_the_same_question_gets_the_stored_answer_without_a_job(workshop):
    first = workshop.gate("good")
    again = workshop.registry.gates.judge(workshop.owner, "bike", workshop.candidate("good"), margin=0.05)
    assert again == first
    assert isinstance(
        workshop.registry.gates.judge(workshop.owner, "bike", workshop.candidate("good"), margin=0.1), str
    )


def test_the_same_question_asked_twice_before_its_job_ran_is_answered_once(workshop):
    asked = [workshop.registry.gates.judge(workshop.owner, "bike", workshop.candidate("good")) for _ in range(2)]
    workshop.run_jobs()
    results = [workshop.jobs.job(workshop.owner, job_id).result for job_id in asked]
    assert results[0]["gate_id"] == results[1]["gate_id"]
    assert len(workshop.registry.gates.gates(workshop.owner, "bike")) == 1


def test_the_holdout_is_found_among_what_the_evaluation_step_was_given(workshop):
    workshop.champion("good")
    candidate = workshop.candidate("plain")
    other = workshop.put(b"neither rows nor anything")
    workshop.step("split", {"train": other, "test": candidate.holdout_digest})
    workshop.step("evaluate", {"output": candidate.predictions_digest}, used=("split",))
    unnamed = Candidate(candidate.model_digest, candidate.predictions_digest)
    job_id = workshop.registry.gates.judge(workshop.owner, "bike", unnamed)
    workshop.run_jobs()
    result = workshop.jobs.job(workshop.owner, job_id).result
    found = workshop.registry.gates.gate(workshop.owner, result["gate_id"])
    assert found.candidate.holdout_digest == candidate.holdout_digest
    assert found.verdict.outcome == "fail"


def test_rows_that_are_not_those_predicted_are_not_taken_for_the_holdout(workshop):
    workshop.champion("good")
    candidate = workshop.candidate("plain")
    shuffled = _parquet(holdout_rows().take(list(range(1499, -1, -1))))
    wrong = Candidate(candidate.model_digest, candidate.predictions_digest, workshop.put(shuffled))
    job_id = workshop.registry.gates.judge(workshop.owner, "bike", wrong)
    workshop.run_jobs()
    job = workshop.jobs.job(workshop.owner, job_id)
    assert job.state == "failed"
    assert "none of them those rows" in job.error["message"]
    assert workshop.registry.gates.gates(workshop.owner, "bike")[0].champion_id is None


def test_a_gate_measures_the_candidate_on_the_way(workshop):
    gate = workshop.gate("good")
    profile = workshop.register("good", metrics={}).profile
    assert profile.metrics["mae"] == pytest.approx(gate.verdict.evidence["candidate"])


@pytest.mark.parametrize(("asked", "named"), [({"metric": "nope"}, "metric"), ({"tie": "maybe"}, "tie")])
def test_settings_that_mean_nothing_are_refused_before_any_job(workshop, asked, named):
    with pytest.raises(InvalidInput, match=named):
        workshop.registry.gates.judge(workshop.owner, "bike", workshop.candidate("good"), **asked)
    assert workshop.jobs.run_due(SYSTEM) == 0


def test_a_candidate_of_another_project_is_not_found(workshop):
    with pytest.raises(NotFound):
        workshop.registry.gates.judge(workshop.owner, "bike", Candidate("0" * 64, "1" * 64))


def _parquet(rows):
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(rows, sink)
    return sink.getvalue().to_pybytes()
