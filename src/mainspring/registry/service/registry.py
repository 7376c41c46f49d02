"""Use cases of the registry: register, find, load, alias, promote, deprecate, verify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.evaluation.service import EvaluationService
from mainspring.jobs.model import JobHandler
from mainspring.jobs.service import JobService
from mainspring.kernel.errors import Conflict, InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case
from mainspring.registry import permissions, store
from mainspring.registry.events import AliasMoved, ModelDeprecated, VersionDeprecated, VersionRegistered
from mainspring.registry.model import (
    CHALLENGER,
    CHAMPION,
    AliasMove,
    Conversion,
    Difference,
    Model,
    ModelVersion,
    Profile,
    VersionId,
    checked_alias,
    checked_name,
    difference,
    parsed,
    require_complete,
    require_promotable,
)
from mainspring.registry.service.conversions import CONVERT_JOB, ConversionService
from mainspring.registry.service.gates import GATE_JOB, GateService
from mainspring.registry.service.models import card_of, ensure_model
from mainspring.registry.service.profiles import Profiles, Registration
from mainspring.tracking.service import TrackingService
from mainspring.training.model import unpack

_MOST = 1000


@dataclass(frozen=True)
class Registered:
    """`is_new` is False where the very same artifact was a version of the model before."""

    version: ModelVersion
    is_new: bool


class RegistryService:
    def __init__(
        self, engines: Engines, jobs: JobService, tracking: TrackingService, evaluation: EvaluationService
    ) -> None:
        self._engines, self._tracking = engines, tracking
        self._profiles = Profiles(engines.sql, tracking, evaluation)
        self.gates = GateService(engines, jobs, tracking, evaluation)
        self.conversions = ConversionService(engines, jobs)

    def job_handlers(self) -> dict[str, JobHandler]:
        return {GATE_JOB: self.gates.run_job, CONVERT_JOB: self.conversions.run_job}

    def resolve(self, principal: Principal, name: str) -> str | None:
        """The id behind `name@alias` or `name:number`, or None where it is no version's name: for lineage."""
        if parsed(name) is None:
            return None
        try:
            with self._engines.sql.read() as connection:
                return store.found_version(connection, principal.project, name).id
        except NotFound:
            return None

    @use_case(permissions.REGISTER)
    def register(self, principal: Principal, name: str, registration: Registration) -> Registered:
        """A new version under `name`, the next in number, with the alias @challenger; its conversion is asked for.

        An artifact that is a version of this model already gives that version, and nothing changes.
        Raises InvalidInput where a mandatory field is missing, NotFound or Corrupt for the artifact.
        """
        checked_name(name)
        card = card_of(self._tracking, principal, registration.artifact)
        profile = self._profiles.profile_of(principal, card, registration)
        require_complete(name, profile)
        size_bytes = sum(len(piece) for piece in self._tracking.artifact(principal, registration.artifact))
        with self._engines.sql.write(principal) as work:
            model = ensure_model(work, name)
            known = store.version_of_artifact(work.connection, model, registration.artifact)
            if known is not None:
                return Registered(known, is_new=False)
            if model.deprecated_at is not None:
                raise Conflict(
                    f"model {name}", wanted="a model in use", found="a deprecated one", fix="Use another name."
                )
            version = self._add(work, model, registration.artifact, size_bytes, profile)
            return Registered(version, is_new=True)

    def _add(self, work: Work, model: Model, digest: str, size_bytes: int, profile: Profile) -> ModelVersion:
        gates = store.gates_of_artifact(work.connection, model, digest)
        gate = next((gate for gate in gates if gate.verdict), None)
        version = ModelVersion(
            id=VersionId(new_id()),
            project=model.project,
            model_id=model.id,
            model=model.name,
            number=store.next_number(work.connection, model.id),
            artifact_digest=digest,
            size_bytes=size_bytes,
            profile=profile,
            gate_id=gate.id if gate else None,
            registered_by=work.principal.id,
            registered_at=work.now,
            deprecated_at=None,
            deprecated_because="",
            aliases=(),
            conversion=Conversion("pending"),
        )
        store.add_version(work, version)
        work.emit(_registered(version))
        self.conversions.request(work, version)
        self._move(work, CHALLENGER, version, store.version_aliased(work.connection, model, CHALLENGER), "registered")
        return store.found_version(work.connection, model.project, version.id)

    @use_case(permissions.READ)
    def models(self, principal: Principal, *, text: str | None = None, limit: int = 100) -> list[Model]:
        """By name; `text` is looked for in names and descriptions."""
        with self._engines.sql.read() as connection:
            return store.find_models(connection, principal.project, text, min(limit, _MOST))

    @use_case(permissions.READ)
    def model(self, principal: Principal, name: str) -> Model:
        with self._engines.sql.read() as connection:
            return store.found_model(connection, principal.project, name)

    @use_case(permissions.READ)
    def versions(self, principal: Principal, *, name: str | None = None, limit: int = 100) -> list[ModelVersion]:
        """Newest first; of one model, or of all."""
        with self._engines.sql.read() as connection:
            if name is not None:
                store.found_model(connection, principal.project, name)
            return store.find_versions(connection, principal.project, model=name, limit=min(limit, _MOST))

    @use_case(permissions.READ)
    def version(self, principal: Principal, reference: str) -> ModelVersion:
        """By `name@alias`, `name:number` or id."""
        with self._engines.sql.read() as connection:
            return store.found_version(connection, principal.project, reference)

    @use_case(permissions.READ)
    def history(self, principal: Principal, name: str) -> list[AliasMove]:
        """Every move of the model's aliases, oldest first."""
        with self._engines.sql.read() as connection:
            return store.history(connection, store.found_model(connection, principal.project, name).id)

    @use_case(permissions.READ)
    def compare(self, principal: Principal, before: str, after: str) -> Difference:
        """What differs between two versions."""
        return difference(self.version(principal, before), self.version(principal, after))

    @use_case(permissions.READ)
    def accesses(self, principal: Principal, reference: str, *, limit: int = 100) -> list[Mapping[str, Any]]:
        """Who loaded the version when and what for, newest first."""
        version = self.version(principal, reference)
        with self._engines.sql.read() as connection:
            return store.accesses_of(connection, principal.project, version.id, min(limit, _MOST))

    @use_case(permissions.READ)
    def download(
        self, principal: Principal, reference: str, *, as_onnx: bool = False
    ) -> tuple[ModelVersion, Iterator[bytes]]:
        """The version and its checked bytes; who loaded it is recorded first.

        Raises Corrupt where the bytes have changed, NotFound where there is no ONNX model.
        """
        version = self.version(principal, reference)
        digest = version.conversion.onnx_digest if as_onnx else version.artifact_digest
        if digest is None:
            found = f"a conversion that is {version.conversion.state}"
            raise NotFound(f"ONNX model of {version.reference}", wanted="one that was converted", found=found)
        with self._engines.sql.write(principal) as work:
            store.add_access(work, version.id, "onnx" if as_onnx else "load")
        return version, _begun(self._engines.blobs.chunks(digest))

    @use_case(permissions.READ)
    def verify(self, principal: Principal, reference: str) -> dict[str, Any]:
        """Read every stored byte of the version again. Raises Corrupt, NotFound.

        The signature on record must be the one in the file.
        """
        version = self.version(principal, reference)
        data = self._engines.blobs.read(version.artifact_digest)
        if unpack(data)[0].signature != version.profile.card.signature:
            raise InvalidInput(f"signature of {version.reference}", wanted="that of its file", found="another")
        onnx = version.conversion.onnx_digest
        if onnx is not None:
            self._engines.blobs.read(onnx)
        return {
            "version": version.reference,
            "artifact": version.artifact_digest,
            "onnx": onnx,
            "size_bytes": len(data),
            "is_intact": True,
        }

    @use_case(permissions.ALIAS)
    def set_alias(
        self, principal: Principal, name: str, alias: str, reference: str | None, *, reason: str = ""
    ) -> None:
        """Point an alias of the model at one of its versions (`:3`, `3`, `@other`), or take it away (None).

        Raises InvalidInput for @champion, which only `promote` moves.
        """
        if checked_alias(alias) == CHAMPION:
            raise InvalidInput(
                f"alias {alias}",
                wanted="another alias",
                found=repr(alias),
                fix=f"Use `mainspring model promote {name}:N`.",
            )
        with self._engines.sql.write(principal) as work:
            model = store.found_model(work.connection, principal.project, name)
            before = store.version_aliased(work.connection, model, alias)
            version = (
                store.found_version(work.connection, principal.project, _within(name, reference)) if reference else None
            )
            if version is not None and version.model_id != model.id:
                raise InvalidInput(f"alias {alias} of {name}", wanted=f"a version of {name}", found=version.reference)
            _require_in_use(version)
            self._move(work, alias, version, before, reason)

    @use_case(permissions.PROMOTE)
    def promote(self, principal: Principal, reference: str, *, reason: str = "") -> ModelVersion:
        """Make the version its model's champion.

        Raises GateClosed, with the numbers, without a passed gate against the champion of now. A
        version that was champion before may return without one.
        """
        with self._engines.sql.write(principal) as work:
            version = store.found_version(work.connection, principal.project, reference)
            model = store.found_model(work.connection, principal.project, version.model)
            champion = store.version_aliased(work.connection, model, CHAMPION)
            if champion is not None and champion.id == version.id:
                return version
            gates = store.gates_of_artifact(work.connection, model, version.artifact_digest)
            history = store.history(work.connection, model.id, CHAMPION)
            because = require_promotable(version, next(iter(gates), None), champion, history)
            self._move(work, CHAMPION, version, champion, f"{reason}: {because}" if reason else because)
            return store.found_version(work.connection, principal.project, version.id)

    @use_case(permissions.DEPRECATE)
    def deprecate(self, principal: Principal, reference: str, *, reason: str = "") -> ModelVersion:
        """Take a version out of use, with its aliases. Raises Conflict for the champion."""
        with self._engines.sql.write(principal) as work:
            version = store.found_version(work.connection, principal.project, reference)
            if CHAMPION in version.aliases:
                fix = "Promote another version first."
                raise Conflict(version.reference, wanted="a version that does not serve", found="the champion", fix=fix)
            if version.deprecated_at is None:
                for alias in version.aliases:
                    self._move(work, alias, None, version, "deprecated")
                store.deprecate_version(work, version.id, reason)
                number, model_id = version.number, version.model_id
                work.emit(
                    VersionDeprecated(
                        model_version_id=version.id,
                        model_id=model_id,
                        model=version.model,
                        number=number,
                        reason=reason,
                    )
                )
            return store.found_version(work.connection, principal.project, version.id)

    @use_case(permissions.DEPRECATE)
    def deprecate_model(self, principal: Principal, name: str, *, reason: str = "") -> Model:
        """Close the model: no version can be registered any more. What is registered stays."""
        with self._engines.sql.write(principal) as work:
            model = store.found_model(work.connection, principal.project, name)
            if model.deprecated_at is None:
                store.deprecate_model(work, model.id)
                work.emit(ModelDeprecated(model_id=model.id, model=name, reason=reason))
            return store.found_model(work.connection, principal.project, name)

    def _move(
        self, work: Work, alias: str, version: ModelVersion | None, before: ModelVersion | None, reason: str
    ) -> None:
        either = version or before
        if either is None or (version and before and version.id == before.id):
            return
        store.move_alias(work, version, before, alias, reason)
        work.emit(
            AliasMoved(
                model_id=either.model_id,
                model_version_id=version.id if version else None,
                before_id=before.id if before else None,
                model=either.model,
                alias=alias,
                before=before.number if before else None,
                after=version.number if version else None,
                reason=reason,
            )
        )


def _within(name: str, reference: str) -> str:
    """`3`, `:3` and `@other` as references of the model."""
    if reference.isdigit():
        return f"{name}:{reference}"
    return name + reference if reference[0] in ":@" else reference


def _require_in_use(version: ModelVersion | None) -> None:
    if version is not None and version.deprecated_at is not None:
        raise Conflict(version.reference, wanted="a version in use", found="a deprecated one")


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, after the first was read: so that changed bytes raise here, and not in the middle of an answer."""
    first = next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from pieces

    return rest()


def _registered(version: ModelVersion) -> VersionRegistered:
    profile = version.profile
    return VersionRegistered(
        model_version_id=version.id,
        model_id=version.model_id,
        artifact_id=version.artifact_digest,
        gate_id=version.gate_id,
        run_id=profile.step_id or profile.run_id,
        dataset_version_ids=profile.dataset_version_ids,
        environment_id=profile.environment_id,
        model=version.model,
        number=version.number,
        size_bytes=version.size_bytes,
        metrics=profile.metrics,
        params=profile.params,
    )
