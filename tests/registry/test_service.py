"""Versions, aliases, promotion: what the registry promises about what was put into it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mainspring.engines.ledger import events as ledger
from mainspring.kernel.errors import Conflict, Corrupt, GateClosed, InvalidInput, NotFound, NotPermitted
from mainspring.kernel.ids import PrincipalId
from mainspring.kernel.principals import Principal, Role
from mainspring.registry.service import Registration
from mainspring.training.definitions import Regressor
from tests.registry.conftest import FEATURES, train_rows, trained

VIEWER = Principal(PrincipalId("viewer"), "viewer", "default", Role.viewer)
CONTRIBUTOR = Principal(PrincipalId("contributor"), "contributor", "default", Role.contributor)
COMPLETE: dict[str, Any] = {"metrics": {"mae": 1.0}, "dataset_version_ids": ["data-1"], "environment_id": "env-1"}


def _distinct(number: int) -> bytes:
    """A model file unlike those of other numbers."""
    return Regressor(lambda matrix: matrix[:, 0] + number, FEATURES, "cnt").described_by(train_rows()).to_bytes()


def test_the_first_version_is_number_one_and_the_challenger(workshop):
    version = workshop.register("good")
    assert (version.reference, version.aliases) == ("bike:1", ("challenger",))
    assert version.conversion.state == "pending"


def test_each_version_gets_the_next_number_and_takes_the_challenger_alias(workshop):
    first, second = workshop.register("good"), workshop.register("plain")
    assert second.number == 2
    assert second.aliases == ("challenger",)
    assert workshop.registry.version(workshop.owner, first.id).aliases == ()


def test_numbers_are_counted_per_model(workshop):
    workshop.register("good", "bike")
    assert workshop.register("plain", "car").number == 1


def test_the_very_same_artifact_gives_the_version_that_it_is_already(workshop):
    first = workshop.register("good")
    workshop.register("plain")
    before = _events(workshop)
    again = workshop.registry.register(
        workshop.owner, "bike", Registration(artifact=first.artifact_digest, **{**COMPLETE, "metrics": {"mae": 9.0}})
    )
    assert not again.is_new
    assert again.version.id == first.id
    assert again.version.profile.metrics == {"mae": 1.0}
    assert _events(workshop) == before


def test_eight_threads_registering_at_once_get_consecutive_numbers(workshop):
    digests = [workshop.put(_distinct(number)) for number in range(24)]
    numbers: list[int] = []

    def register(mine: list[str]) -> None:
        for digest in mine:
            found = workshop.registry.register(workshop.owner, "bike", Registration(artifact=digest, **COMPLETE))
            numbers.append(found.version.number)

    threads = [threading.Thread(target=register, args=(digests[at::8],)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 25))
    moves = workshop.registry.history(workshop.owner, "bike")
    assert [move.before for move in moves[1:]] == [move.after for move in moves[:-1]]


_REGISTERING = """
import importlib, sys
from pathlib import Path
from mainspring.engines.assembly import assemble
from mainspring.engines.home import Home
from mainspring.engines.settings import EngineSettings
from mainspring.evaluation.service import EvaluationService
from mainspring.jobs.service import JobService
from mainspring.kernel.principals import Principal, Role
from mainspring.registry.service import Registration, RegistryService
from mainspring.tracking.service import TrackingService
engines = assemble(Home(Path(sys.argv[1])), EngineSettings())
registry = RegistryService(engines, JobService(engines), TrackingService(engines), EvaluationService(engines))
who = Principal(sys.argv[2], "owner", "default", Role.owner)
for digest in sys.argv[3:]:
    given = Registration(artifact=digest, metrics={"mae": 1.0}, dataset_version_ids=["d"], environment_id="e")
    sys.stdout.write(f"{registry.register(who, 'bike', given).version.number}\\n")
"""


def test_eight_processes_registering_at_once_get_consecutive_numbers(workshop):
    digests = [workshop.put(_distinct(number)) for number in range(16)]
    home, who = str(workshop.engines.home.root), workshop.owner.id
    command = [sys.executable, "-c", _REGISTERING, home, who]
    started = [subprocess.Popen([*command, *digests[at::8]], stdout=subprocess.PIPE, text=True) for at in range(8)]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 8
    assert sorted(int(line) for text in said for line in text.split()) == list(range(1, 17))


def test_two_writers_of_the_same_artifact_make_one_version(workshop):
    digest = workshop.put(_distinct(0))
    found = []

    def register() -> None:
        found.append(workshop.registry.register(workshop.owner, "bike", Registration(artifact=digest, **COMPLETE)))

    threads = [threading.Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.version.number for one in found} == {1}
    assert sum(one.is_new for one in found) == 1


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        ("metrics", "no metrics"),
        ("dataset_version_ids", "no dataset_version_ids"),
        ("environment_id", "no environment_id"),
    ],
)
def test_a_missing_mandatory_field_blocks_registration_by_name(workshop, left_out, named):
    given = {name: value for name, value in COMPLETE.items() if name != left_out}
    with pytest.raises(InvalidInput, match=named):
        workshop.registry.register(workshop.owner, "bike", Registration(artifact=workshop.put(_distinct(0)), **given))
    assert workshop.registry.models(workshop.owner) == []


def test_a_model_made_without_its_rows_cannot_be_registered(workshop):
    bare = workshop.put(Regressor(lambda matrix: matrix[:, 0], FEATURES, "cnt").to_bytes())
    with pytest.raises(InvalidInput, match=r"no signature, no sample_input.*described_by"):
        workshop.registry.register(workshop.owner, "bike", Registration(artifact=bare, **COMPLETE))


def test_an_artifact_that_is_absent_or_no_model_is_refused(workshop):
    with pytest.raises(NotFound):
        workshop.registry.register(workshop.owner, "bike", Registration(artifact="0" * 64, **COMPLETE))
    with pytest.raises(InvalidInput, match="wanted a model"):
        workshop.registry.register(workshop.owner, "bike", Registration(artifact=workshop.put(b"hello"), **COMPLETE))


@pytest.mark.parametrize("name", ["", "a b", "a:1", "a@b", "1a", "x" * 65, "../a"])
def test_a_name_that_cannot_stand_in_a_reference_is_refused(workshop, name):
    with pytest.raises(InvalidInput, match="model name"):
        workshop.register("good", name)


def test_a_version_is_found_by_number_alias_and_id(workshop):
    version = workshop.register("good")
    for reference in ("bike:1", "bike@challenger", version.id):
        assert workshop.registry.version(workshop.owner, reference).id == version.id
    assert workshop.registry.resolve(workshop.owner, "bike@challenger") == version.id
    assert workshop.registry.resolve(workshop.owner, "bike_demand@3") is None


def test_a_reference_to_nothing_says_what_there_is(workshop):
    workshop.register("good")
    with pytest.raises(NotFound, match=r":1, @challenger"):
        workshop.registry.version(workshop.owner, "bike@champion")
    with pytest.raises(NotFound, match="model car"):
        workshop.registry.version(workshop.owner, "car:1")


def test_models_are_searched_by_part_of_their_name_and_other_projects_are_not_seen(workshop):
    workshop.register("good", "bike-demand")
    workshop.register("plain", "car_100")
    found = workshop.registry.models(workshop.owner, text="IKE")
    assert [model.name for model in found] == ["bike-demand"]
    assert workshop.registry.models(workshop.owner, text="_1") == [workshop.registry.model(workshop.owner, "car_100")]
    stranger = Principal(PrincipalId("s"), "s", "elsewhere", Role.owner)
    assert workshop.registry.models(stranger) == []
    with pytest.raises(NotFound):
        workshop.registry.version(stranger, "bike-demand:1")
    version = workshop.registry.version(workshop.owner, "bike-demand:1")
    with pytest.raises(NotFound):
        workshop.registry.register(stranger, "stolen", Registration(artifact=version.artifact_digest, **COMPLETE))


def test_everything_registered_is_there_again(workshop):
    version = workshop.register("good", license="CC-BY-4.0", tags={"team": "demand"}, params={"rate": 0.1})
    profile = version.profile
    assert profile.card == trained("good").card()
    assert (profile.license, profile.tags, profile.params) == ("CC-BY-4.0", {"team": "demand"}, {"rate": 0.1})
    assert (profile.dataset_version_ids, profile.environment_id, profile.owner) == (("data-1",), "env-1", "owner")
    assert workshop.registry.version(workshop.owner, "bike:1") == version


def test_what_the_run_and_the_predictions_tell_need_not_be_given(workshop):
    candidate = workshop.candidate("good")
    workshop.step("train", {"output": candidate.model_digest}, params={"learning_rate": 0.1})
    found = workshop.registry.register(
        workshop.owner,
        "bike",
        Registration(
            artifact=candidate.model_digest,
            predictions=candidate.predictions_digest,
            dataset_version_ids=["data-1"],
            environment_id="env-1",
        ),
    ).version.profile
    assert found.params == {"learning_rate": 0.1}
    assert (found.step_id, found.run_id) == ("step-train", "run-1")
    assert set(found.metrics) == {"mae", "rmse"}


def test_downloaded_bytes_are_the_registered_ones_and_the_load_is_recorded(workshop):
    version = workshop.register("good")
    _, pieces = workshop.registry.download(VIEWER, "bike:1")
    assert b"".join(pieces) == trained("good").to_bytes()
    (access,) = workshop.registry.accesses(workshop.owner, version.id)
    assert (access["principal_id"], access["purpose"]) == ("viewer", "load")


def test_a_changed_artifact_is_refused_on_every_load(workshop):
    version = workshop.register("good")
    assert workshop.registry.verify(workshop.owner, "bike:1")["is_intact"]
    path = workshop.engines.blobs.path(version.artifact_digest)
    os.chmod(path, 0o600)
    data = bytearray(Path(path).read_bytes())
    data[-1] ^= 1
    Path(path).write_bytes(data)
    with pytest.raises(Corrupt):
        workshop.registry.download(workshop.owner, "bike:1")
    with pytest.raises(Corrupt):
        workshop.registry.verify(workshop.owner, "bike:1")
    with pytest.raises(Corrupt):
        workshop.registry.register(workshop.owner, "other", Registration(artifact=version.artifact_digest, **COMPLETE))


def test_an_alias_moves_with_its_history_and_can_be_taken_away(workshop):
    for kind in ("good", "plain"):
        workshop.register(kind)
    for reference in ("1", ":2", "@challenger", None):
        workshop.registry.set_alias(workshop.owner, "bike", "blue", reference, reason="trial")
    moves = [(m.before, m.after) for m in workshop.registry.history(workshop.owner, "bike") if m.alias == "blue"]
    assert moves == [(None, 1), (1, 2), (2, None)]
    with pytest.raises(NotFound):
        workshop.registry.version(workshop.owner, "bike@blue")


def test_the_champion_alias_is_moved_by_promotion_only(workshop):
    workshop.register("good")
    with pytest.raises(InvalidInput, match="model promote"):
        workshop.registry.set_alias(workshop.owner, "bike", "champion", "1")


def test_an_alias_of_one_model_cannot_point_at_another_models_version(workshop):
    workshop.register("good")
    other = workshop.register("plain", "car")
    with pytest.raises(InvalidInput, match="a version of bike"):
        workshop.registry.set_alias(workshop.owner, "bike", "blue", other.id)


def test_promotion_without_a_gate_is_refused(workshop):
    workshop.register("good")
    with pytest.raises(GateClosed, match="no gate for this artifact"):
        workshop.registry.promote(workshop.owner, "bike:1")


def test_a_gated_version_becomes_champion_and_knows_its_gate(workshop):
    gate = workshop.gate("good")
    version = workshop.register("good")
    assert version.gate_id == gate.id
    promoted = workshop.registry.promote(workshop.owner, "bike@challenger")
    assert promoted.aliases == ("challenger", "champion")
    assert workshop.registry.promote(workshop.owner, "bike:1").aliases == promoted.aliases


def test_a_failed_gate_closes_promotion_with_its_numbers(workshop):
    workshop.champion("good")
    assert workshop.gate("plain").verdict.outcome == "fail"
    workshop.register("plain")
    with pytest.raises(GateClosed, match=r"fail: Mean absolute error is .* against .*margin"):
        workshop.registry.promote(workshop.owner, "bike:2")
    assert workshop.registry.version(workshop.owner, "bike@champion").number == 1


def test_a_gate_against_an_older_champion_does_not_count_today(workshop):
    workshop.champion("plain")
    workshop.gate("other")
    workshop.register("other")
    workshop.champion("good")
    with pytest.raises(GateClosed, match="the champion has changed since"):
        workshop.registry.promote(workshop.owner, "bike:2")


def test_a_former_champion_may_return(workshop):
    workshop.champion("plain")
    workshop.champion("good")
    assert "champion" in workshop.registry.promote(workshop.owner, "bike:1", reason="rollback").aliases
    assert workshop.registry.history(workshop.owner, "bike")[-1].reason == "rollback: it was champion before"


def test_a_deprecated_version_loses_its_aliases_and_takes_none(workshop):
    workshop.register("good")
    gone = workshop.registry.deprecate(workshop.owner, "bike:1", reason="wrong data")
    assert (gone.aliases, gone.deprecated_because) == ((), "wrong data")
    for refused in (
        lambda: workshop.registry.promote(workshop.owner, "bike:1"),
        lambda: workshop.registry.set_alias(workshop.owner, "bike", "blue", "1"),
    ):
        with pytest.raises(Conflict, match="deprecated"):
            refused()


def test_the_champion_cannot_be_deprecated(workshop):
    workshop.champion("good")
    with pytest.raises(Conflict, match="Promote another version first"):
        workshop.registry.deprecate(workshop.owner, "bike:1")


def test_a_deprecated_model_takes_no_new_version(workshop):
    workshop.register("good")
    workshop.registry.deprecate_model(workshop.owner, "bike", reason="replaced")
    with pytest.raises(Conflict, match="deprecated"):
        workshop.register("plain")


def test_two_versions_are_told_apart_by_what_differs(workshop):
    workshop.register("good", params={"rate": 0.1}, metrics={"mae": 1.0, "rmse": 2.0})
    workshop.register("other", params={"rate": 0.2}, metrics={"mae": 0.5, "rmse": 2.0})
    found = workshop.registry.compare(workshop.owner, "bike:1", "bike:2")
    assert found.metrics == {"mae": (1.0, 0.5)}
    assert found.params == {"rate": (0.1, 0.2)}
    assert found.estimator == {"l2_regularization": (0.0, 0.1)}
    assert found.is_same_environment


def test_roles_may_do_what_they_may_and_no_more(workshop):
    version = workshop.register("good")
    with pytest.raises(NotPermitted):
        workshop.registry.register(VIEWER, "bike", Registration(artifact=version.artifact_digest, **COMPLETE))
    with pytest.raises(NotPermitted):
        workshop.registry.gates.judge(VIEWER, "bike", workshop.candidate("good"))
    for refused in (
        lambda: workshop.registry.promote(CONTRIBUTOR, "bike:1"),
        lambda: workshop.registry.set_alias(CONTRIBUTOR, "bike", "blue", "1"),
        lambda: workshop.registry.deprecate(CONTRIBUTOR, "bike:1"),
    ):
        with pytest.raises(NotPermitted):
            refused()


def test_what_a_version_rests_on_is_drawn_in_the_event_log(workshop):
    gate = workshop.gate("good")
    version = workshop.register("good")
    with workshop.engines.sql.read() as connection:
        told = ledger.about(connection, "default", version.id)
    edges = {edge for event in told for edge in event.edges}
    assert (version.id, "passed", gate.id) in edges
    assert (version.id, "trained on", "data-1") in edges
    assert (version.id, "trained in", "env-1") in edges
    assert (version.id, "stored as", version.artifact_digest) in edges
    assert (gate.id, "judged", version.artifact_digest) in _edges(workshop, gate.id)


def _events(workshop):
    with workshop.engines.sql.read() as connection:
        return ledger.head(connection, "default")


def _edges(workshop, id):
    with workshop.engines.sql.read() as connection:
        return {edge for event in ledger.about(connection, "default", id) for edge in event.edges}
