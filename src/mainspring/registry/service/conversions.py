"""Use cases of conversion: a version of code becomes data, compared on rows, by a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.jobs.model import Isolate
from mainspring.jobs.service import JobService
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import NotFound, StepFailed, TimedOut
from mainspring.kernel.principals import Principal, use_case
from mainspring.registry import permissions, store, work
from mainspring.registry.events import VersionConverted
from mainspring.registry.model import Conversion, ModelVersion
from mainspring.registry.service.files import as_files, present
from mainspring.registry.service.origins import origin_of

CONVERT_JOB = "registry.convert"


class ConversionService:
    def __init__(self, engines: Engines, jobs: JobService) -> None:
        self._engines, self._jobs = engines, jobs

    def request(self, unit: Work, version: ModelVersion) -> Conversion:
        """Ask for the conversion inside the caller's transaction; it is pending until the job has run."""
        job_id = self._jobs.request(unit, CONVERT_JOB, {"version_id": version.id})
        conversion = Conversion("pending", job_id=job_id)
        store.set_conversion(unit, version.id, conversion)
        return conversion

    @use_case(permissions.REGISTER)
    def convert(self, principal: Principal, reference: str) -> str:
        """Convert again, for one that failed or under newer converters; the job's id."""
        with self._engines.sql.write(principal) as unit:
            version = store.found_version(unit.connection, principal.project, reference)
            return self.request(unit, version).job_id or ""

    def run_job(self, principal: Principal, arguments: dict[str, Any], isolate: Isolate) -> dict[str, Any]:
        """Convert and compare in an isolated process and record what came of it. Safe to repeat."""
        with self._engines.sql.read() as connection:
            version = store.version(connection, principal.project, arguments["version_id"])
        if version is None:
            raise NotFound(f"version {arguments['version_id']}", wanted="a registered version", found="none of that id")
        try:
            conversion = self._converted(principal, version, isolate)
        except (StepFailed, TimedOut) as error:
            # The converter crashed, hung or ran out of memory: an answer too, and no reason to wait on.
            conversion = Conversion("not_convertible", None, {"reason": str(error)}, version.conversion.job_id)
        with self._engines.sql.write(principal) as unit:
            store.set_conversion(unit, version.id, conversion)
            unit.emit(
                VersionConverted(
                    model_version_id=version.id,
                    model_id=version.model_id,
                    onnx_id=conversion.onnx_digest,
                    state=conversion.state,
                    facts=conversion.facts,
                )
            )
        result: dict[str, Any] = plain(conversion)
        return {**result, "version": version.reference}

    def _converted(self, principal: Principal, version: ModelVersion, isolate: Isolate) -> Conversion:
        tables = self._tables(principal, version)
        with (
            as_files(self._engines, [version.artifact_digest, *tables]) as files,
            TemporaryDirectory(dir=self._engines.home.work) as folder,
        ):
            out = Path(folder, "model.onnx")
            given = {
                "model_path": files[version.artifact_digest],
                "tables": [files[digest] for digest in tables],
                "sample_input": [dict(row) for row in version.profile.card.sample_input],
                "out_path": out,
            }
            found: dict[str, Any] = isolate(work.convert_and_compare, given)
            state, digest = found.pop("state"), found.pop("onnx_digest")
            if digest is not None:
                self._engines.blobs.put(out, expected=digest)
        return Conversion(state, digest, _without_none(found), version.conversion.job_id)

    def _tables(self, principal: Principal, version: ModelVersion) -> list[str]:
        """Artifacts that may hold rows to compare on: the gate's holdout first, then what lies nearest."""
        digests: list[str] = []
        if version.gate_id is not None:
            with self._engines.sql.read() as connection:
                gate = store.gate(connection, principal.project, version.gate_id)
            digests += [gate.candidate.holdout_digest] if gate and gate.candidate.holdout_digest else []
        for digest in (version.profile.predictions_digest, version.artifact_digest):
            if digest is not None:
                digests += origin_of(self._engines.sql, principal.project, digest).outputs
        return present(self._engines, [d for d in dict.fromkeys(digests) if d != version.artifact_digest])


def _without_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
