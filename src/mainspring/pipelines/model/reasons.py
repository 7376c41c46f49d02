"""Why a step ran, or why it did not, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mainspring.pipelines.model.keys import KeyParts, closest, differences
from mainspring.pipelines.model.runs import StepRun

Packages = Callable[[str], Mapping[str, str]]
"""Package to version of the lock with a digest."""


@dataclass(frozen=True)
class Earlier:
    """A successful execution of the same step in an earlier run."""

    run_id: str
    parts: KeyParts
    status: str


def reasons(step: StepRun, steps: Sequence[StepRun], earlier: Sequence[Earlier], packages: Packages) -> list[str]:
    """One sentence each. `steps` are those of the same run, `earlier` newest first."""
    if step.status == "cached" and step.reused:
        source = step.reused
        same = "same code, inputs, parameters and environment"
        return [f"taken from run {source['run_id']}, step {source['step_id']}: {same}"]
    if step.status == "skipped":
        broken = [s.label for s in steps if s.id in step.needs and s.status not in ("succeeded", "cached")]
        return [f"skipped, because {' and '.join(broken) or 'the run'} did not succeed"]
    if step.kind != "step" or step.parts is None:
        return [f"{'an operation' if step.kind == 'operation' else 'a choice'} is executed in every run"]
    now = KeyParts.from_json(step.parts)
    said = [f"ran, because {step.uncached}"] if step.uncached else []
    before = closest(now, [e.parts for e in earlier])
    if before is None:
        return said or [f"ran, because no earlier run of this pipeline executed {step.name}"]
    compared = next(e for e in earlier if e.parts is before)
    changes = differences(*_with_packages(before, now, packages))
    if changes:
        return said + [f"ran, because {change} (compared with run {compared.run_id})" for change in changes]
    return said or [
        f"ran again with the same key as in run {compared.run_id}: its outputs were no longer stored, or differed"
    ]


def _with_packages(before: KeyParts, now: KeyParts, packages: Packages) -> tuple[KeyParts, KeyParts]:
    if before.environment == now.environment:
        return before, now
    return replace(before, packages=packages(before.environment)), replace(now, packages=packages(now.environment))
