"""Models, their versions, and what lets a version become the champion. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NewType

from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import Conflict, GateClosed, InvalidInput
from mainspring.kernel.verdicts import Verdict
from mainspring.training.model import Card

ModelId = NewType("ModelId", str)
VersionId = NewType("VersionId", str)
GateId = NewType("GateId", str)

CHALLENGER, CHAMPION = "challenger", "champion"
ConversionState = Literal["pending", "equal", "differs", "not_convertible"]
Tie = Literal["block", "pass"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"(?P<model>[^@:]+)(?:@(?P<alias>[^@:]+)|:(?P<number>[1-9][0-9]{0,8}))")


@dataclass(frozen=True)
class Model:
    """A name under which versions are registered, one after another."""

    id: ModelId
    project: str
    name: str
    description: str
    created_by: str
    created_at: datetime
    deprecated_at: datetime | None = None


@dataclass(frozen=True)
class Profile:
    """Everything stored with a version; it never changes.

    metrics              measured on data the model did not see.
    dataset_version_ids  the data it rests on; environment_id what it was trained in.
    run_id, step_id      the run, and the step of a pipeline's run, that made it; None where none did.
    predictions_digest   what it predicted on the holdout, where that was given.
    owner                who answers for it; a principal's name, a team, an address.
    """

    card: Card
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    run_id: str | None
    step_id: str | None
    dataset_version_ids: tuple[str, ...]
    environment_id: str | None
    predictions_digest: str | None = None
    owner: str = ""
    license: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversion:
    """The model as data. `facts` says rows, differences and tolerance, or the reason why there is none.

    onnx_digest  blob of the ONNX model; None while pending and where it cannot be converted.
    """

    state: ConversionState
    onnx_digest: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """One registered artifact. `number` counts up from 1 without a gap."""

    id: VersionId
    project: str
    model_id: ModelId
    model: str
    number: int
    artifact_digest: str
    size_bytes: int
    profile: Profile
    gate_id: GateId | None
    registered_by: str
    registered_at: datetime
    deprecated_at: datetime | None
    deprecated_because: str
    aliases: tuple[str, ...]
    conversion: Conversion

    @property
    def reference(self) -> str:
        return f"{self.model}:{self.number}"


@dataclass(frozen=True)
class AliasMove:
    """One entry of an alias's history. Numbers of versions; None for nothing."""

    alias: str
    before: int | None
    after: int | None
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class GateSettings:
    """What is asked of a candidate.

    metric      name of an evaluation metric.
    margin      how much worse than the opponent is harmless, as a share of the opponent's value.
    threshold   absolute bound that the metric must hold as well, on its better side.
    tie         what an inconclusive comparison does: "block", or "pass".
    """

    metric: str
    margin: float = 0.0
    threshold: float | None = None
    tie: Tie = "block"
    confidence: float = 0.95


@dataclass(frozen=True)
class Candidate:
    """Artifacts by digest: a model, what it predicted on a holdout, and that holdout's rows, where found."""

    model_digest: str
    predictions_digest: str
    holdout_digest: str | None = None


@dataclass(frozen=True)
class GateVerdict:
    """A stored judgement of a candidate against the champion of its moment, or against a constant.

    champion_id  the version it was compared with; None for the constant predictor.
    """

    id: GateId
    project: str
    model: str
    key: str
    candidate: Candidate
    champion_id: VersionId | None
    settings: GateSettings
    verdict: Verdict
    judged_by: str
    judged_at: datetime


def checked_name(name: str) -> str:
    """`name` if it can name a model: it must stand in a reference, a URL and a file's name."""
    if _NAME.fullmatch(name):
        return name
    wanted = "a letter, then up to 63 letters, digits, '.', '_', '-'"
    raise InvalidInput("model name", wanted=wanted, found=repr(name[:80]))


def checked_alias(alias: str) -> str:
    if _NAME.fullmatch(alias):
        return alias
    raise InvalidInput("alias", wanted="a letter, then up to 63 letters, digits, '.', '_', '-'", found=repr(alias[:80]))


@dataclass(frozen=True)
class Reference:
    """`name@alias` or `name:number`, taken apart."""

    model: str
    alias: str | None
    number: int | None


def parsed(reference: str) -> Reference | None:
    """The parts of a reference; None where the text does not have the form of one."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    number = match["number"]
    return Reference(match["model"], match["alias"], int(number) if number else None)


def require_complete(name: str, profile: Profile) -> None:
    """Raise InvalidInput, naming every mandatory field that is missing."""
    needed = {
        "signature": profile.card.signature,
        "sample_input": profile.card.sample_input,
        "metrics": profile.metrics,
        "dataset_version_ids": profile.dataset_version_ids,
        "environment_id": profile.environment_id,
    }
    missing = [field for field, value in needed.items() if not value]
    if missing:
        raise InvalidInput(
            f"registration of {name}",
            wanted="signature, sample input, metrics, data versions and environment",
            found="no " + ", no ".join(missing),
            fix=_advice(missing),
        )


def _advice(missing: Sequence[str]) -> str:
    advice = {
        "signature": "Make the model with `.fit(...)`, or call `.described_by(rows)` in the training step.",
        "metrics": "Log them in the step (`ms.log_metric`), register predictions along, or give `metrics`.",
        "dataset_version_ids": "Train in a pipeline on an ingested dataset, or give their ids.",
        "environment_id": "Train in a run, which records it, or give its id.",
    }
    return " ".join(advice[name] for name in missing if name in advice)


def gate_key(model: str, candidate: Candidate, champion_id: str | None, settings: GateSettings) -> str:
    """Equal for the same question: same candidate, holdout, opponent and settings."""
    return digest([model, candidate.model_digest, candidate.predictions_digest, champion_id, settings])


def require_promotable(
    version: ModelVersion, gate: GateVerdict | None, champion: ModelVersion | None, history: Sequence[AliasMove]
) -> str:
    """The reason why the version may become champion. Raises GateClosed with the numbers, or Conflict.

    A version that was champion before may be so again: that is how one rolls back. Any other needs
    a passed gate against the champion of now: one against an older champion proves nothing today.
    """
    if version.deprecated_at is not None:
        raise Conflict(version.reference, wanted="a version in use", found="a deprecated one")
    if any(move.alias == CHAMPION and move.after == version.number for move in history):
        return "it was champion before"
    subject = f"promotion of {version.reference}"
    if gate is None:
        fix = "Judge it with `ms.gate(...)` in a pipeline, or POST …/gate."
        raise GateClosed(subject, wanted="a passed gate", found="no gate for this artifact", fix=fix)
    if not gate.verdict:
        numbers = ", ".join(f"{name} {value}" for name, value in gate.verdict.evidence.items())
        raise GateClosed(
            subject, wanted="a passed gate", found=f"{gate.verdict.outcome}: {gate.verdict.reason} ({numbers})"
        )
    now = champion.id if champion else None
    if gate.champion_id != now:
        against = champion.reference if champion else "the constant predictor"
        fix = "Judge it again: the champion has changed since."
        raise GateClosed(subject, wanted=f"a gate against {against}", found="one against another", fix=fix)
    return gate.verdict.reason


@dataclass(frozen=True)
class Difference:
    """What differs between two versions: by name, the value in each (None where it has none)."""

    metrics: Mapping[str, tuple[float | None, float | None]]
    params: Mapping[str, tuple[Any, Any]]
    data: tuple[tuple[str, ...], tuple[str, ...]]
    estimator: Mapping[str, tuple[Any, Any]]
    inputs: tuple[tuple[str, ...], tuple[str, ...]]
    is_same_environment: bool


def difference(before: ModelVersion, after: ModelVersion) -> Difference:
    """What changed from `before` to `after`; equal values are left out."""
    a, b = before.profile, after.profile
    return Difference(
        metrics=_changed(a.metrics, b.metrics),
        params=_changed(a.params, b.params),
        data=(a.dataset_version_ids, b.dataset_version_ids),
        estimator=_changed(a.card.estimator.get("params", {}), b.card.estimator.get("params", {})),
        inputs=(a.card.features, b.card.features),
        is_same_environment=a.environment_id == b.environment_id,
    )


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (a.get(name), b.get(name)) for name in sorted({*a, *b}) if a.get(name) != b.get(name)}
