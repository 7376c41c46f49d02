"""What runs in a step's process: read the inputs, call the function, check and write what it gives.

Nothing here knows the platform. Files come and go by path; everything else that leaves the process
goes through `kernel.reporting`.
"""

from __future__ import annotations

import contextvars
import hashlib
import itertools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import InvalidInput, StepFailed
from mainspring.kernel.reporting import listening, report
from mainspring.kernel.seeds import seeded
from mainspring.pipelines.materializers.contract import materializer, name_for
from mainspring.pipelines.model.types import described, matches, shown


@dataclass(frozen=True)
class Stored:
    """An input that lies in a file. `promised`: the annotation of the output it was."""

    materializer: str
    path: Path
    meta: Mapping[str, Any]
    promised: Any = Any


@dataclass(frozen=True)
class StoredBundle:
    """All named outputs of a step, given as one argument."""

    bundle: type
    members: Mapping[str, Stored]


@dataclass(frozen=True)
class Written:
    """An output in a file of the work folder."""

    name: str
    path: Path
    digest: str
    size_bytes: int
    kind: str
    materializer: str
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Promise:
    """The types of a step: of its parameters, of its outputs, and of the bundle of outputs if named."""

    name: str
    parameters: Mapping[str, Any]
    outputs: Mapping[str, Any]
    bundle: type | None


def perform(
    function: Callable[..., Any], arguments: Mapping[str, Any], promise: Promise, folder: Path, seed: int = 0
) -> list[Written]:
    """Call `function` and write its outputs into `folder`, which exists and is this attempt's own.

    arguments  values, and `Stored` for those in files, also within lists, tuples and dictionaries.
    seed       what the random generators are set to while it runs; reported, and put back afterwards.
    Raises     StepFailed where the function breaks its promise; whatever the function raises.
    """
    loaded = {name: _given(promise, name, value) for name, value in arguments.items()}
    with seeded(seed) as seeds:
        report({"type": "seeds", "values": seeds})
        with listening(_keeping_files(folder)):
            value = function(**loaded)
    return [_write(promise, name, item, folder) for name, item in _outputs(promise, value).items()]


def _given(promise: Promise, name: str, value: Any) -> Any:
    wanted = promise.parameters.get(name, Any)
    found = load(value, wanted)
    if not matches(found, wanted):
        raise StepFailed(f"step {promise.name}, argument {name}", wanted=described(wanted), found=_said(found))
    return found


def load(value: Any, wanted: Any) -> Any:
    """`value` with everything `Stored` in it read from its file."""
    match value:
        case Stored():
            says_much = wanted not in (Any, object) and not getattr(wanted, "_is_protocol", False)
            return materializer(value.materializer).load(
                value.path, value.meta, wanted if says_much else value.promised
            )
        case StoredBundle():
            return value.bundle(**{name: load(item, Any) for name, item in value.members.items()})
        case list():
            return [load(item, _element(wanted)) for item in value]
        case tuple() if not hasattr(value, "_fields"):
            return tuple(load(item, _element(wanted)) for item in value)
        case dict():
            return {key: load(item, _element(wanted)) for key, item in value.items()}
    return value


def _element(wanted: Any) -> Any:
    """The annotation of a container's elements."""
    arguments = [argument for argument in getattr(wanted, "__args__", ()) if argument is not ...]
    return arguments[-1] if arguments else Any


def _outputs(promise: Promise, value: Any) -> dict[str, Any]:
    if promise.bundle is None:
        (name,) = promise.outputs
        return {name: value}
    if not isinstance(value, tuple) or getattr(value, "_fields", None) != tuple(promise.outputs):
        raise StepFailed(
            f"step {promise.name}",
            wanted=f"a {promise.bundle.__name__} of {', '.join(promise.outputs)}",
            found=_said(value),
            fix="Return what its type hint says.",
        )
    return dict(zip(promise.outputs, value, strict=True))


def _said(value: Any) -> str:
    return "None" if value is None else f"{described(type(value))} {shown(value)}"


def _write(promise: Promise, name: str, value: Any, folder: Path) -> Written:
    annotation = promise.outputs[name]
    subject = f"step {promise.name}" + (f", output {name}" if promise.bundle else "")
    if not matches(value, annotation):
        fix = "Return what its type hint says, or change the hint."
        raise StepFailed(subject, wanted=described(annotation), found=_said(value), fix=fix)
    chosen = name_for(annotation, value)
    path = folder / name
    try:
        meta = materializer(chosen).dump(value, path)
    except InvalidInput as error:
        raise StepFailed(subject, wanted=error.wanted, found=error.found, fix=error.fix) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(name, path, digest, path.stat().st_size, materializer(chosen).kind(value), chosen, meta)


def _keeping_files(folder: Path) -> Callable[[dict[str, Any]], None]:
    """Hands messages on; a logged file is copied first, since its step may change or delete it."""
    outside = contextvars.copy_context()
    kept = itertools.count(1)

    def keep(message: dict[str, Any]) -> None:
        if message.get("type") == "artifact":
            copy = folder / f"logged-{next(kept)}"
            shutil.copyfile(message["path"], copy)
            message = {**message, "path": str(copy)}
        # In a copy, so that two threads may log at once.
        outside.copy().run(report, message)

    return keep
