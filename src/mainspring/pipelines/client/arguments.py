"""Arguments of a step made ready: files for what is stored, and what the cache key takes from them."""

from __future__ import annotations

import hashlib
import threading
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.data.definitions import Dataset
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.client.nodes import Node, Piece
from mainspring.pipelines.definitions.handles import OUTPUT, Handle, source_of
from mainspring.pipelines.definitions.steps import Step
from mainspring.pipelines.materializers.contract import materializer, name_for
from mainspring.pipelines.model.code import trace
from mainspring.pipelines.model.keys import Input
from mainspring.pipelines.model.types import described, flattened, matches, shown
from mainspring.pipelines.work import Stored, StoredBundle


@dataclass
class Prepared:
    """values: arguments by name, handles among them; inputs and parameters: what the key takes from them."""

    values: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Input] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def arguments(self, files: Files) -> dict[str, Any]:
        """For `work.perform`: every handle's file is fetched, which a cached step never needs."""
        return {name: _stored(value, files) for name, value in self.values.items()}


class Files:
    """Local files of artifacts, fetched once each."""

    def __init__(self, folder: Path, fetch: Callable[[str], bytes]) -> None:
        self._folder, self._fetch, self._lock = folder, fetch, threading.Lock()

    def of(self, piece: Piece) -> Path:
        if piece.path is not None:
            return piece.path
        path = self._folder / piece.digest
        with self._lock:
            if not path.exists():
                beside = path.with_suffix(".new")
                beside.write_bytes(self._fetch(piece.digest))
                beside.replace(path)
        return path

    def keep(self, value: Any) -> tuple[str, Stored]:
        """Write a value that came from the pipeline function itself; its digest and where it is."""
        chosen = name_for(type(value), value)
        with self._lock:
            beside = self._folder / "given.new"
            meta = materializer(chosen).dump(value, beside)
            found = hashlib.sha256(beside.read_bytes()).hexdigest()
            path = self._folder / found
            beside.replace(path)
        return found, Stored(chosen, path, meta, type(value))


def nodes_in(value: Any) -> list[Node]:
    """The executions behind the handles in `value`, in order, each once."""
    found: dict[Node, None] = {}
    _collect(value, found)
    return list(found)


def _collect(value: Any, found: dict[Node, None]) -> None:
    if isinstance(value, Handle):
        found[source_of(value)[0]] = None
    elif isinstance(value, Mapping):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, found)


def check_arguments(step: Step[Any, Any], arguments: Mapping[str, Any]) -> None:
    """Raise InvalidInput where an argument cannot be what its parameter promises; nothing is waited for."""
    for name, value in arguments.items():
        wanted = step.signature.parameters[name]
        subject = f"step {step.name}, argument {name}"
        if isinstance(value, Dataset):
            fix = "Give the pipeline a parameter of type ms.Dataset, whose version the run fixes, and pass that on."
            raise InvalidInput(
                subject, wanted="a version of a dataset", found=f"the definition of {value.name}", fix=fix
            )
        if isinstance(value, Handle):
            node, output = source_of(value)
            promised = _promised(node, output)
            if not _fits(promised, wanted):
                raise InvalidInput(subject, wanted=described(wanted), found=f"{described(promised)} from {value}")
        elif not nodes_in(value) and not matches(value, wanted):
            raise InvalidInput(subject, wanted=described(wanted), found=f"{shown(value)} ({type(value).__name__})")


def _promised(node: Node, output: str | None) -> Any:
    if node.given:
        return Dataset
    if isinstance(node.request, Step) or hasattr(node.request, "step"):
        signature = node.request.step.signature
        return signature.outputs.get(output or OUTPUT, signature.bundle or Any)
    return Any


def _fits(promised: Any, wanted: Any) -> bool:
    """False only where both are classes and neither can be the other."""
    if Any in (promised, wanted):
        return True
    promised, wanted = typing.get_origin(promised) or promised, typing.get_origin(wanted) or wanted
    if not isinstance(promised, type) or not isinstance(wanted, type) or getattr(wanted, "_is_protocol", False):
        return True
    if promised is Dataset:
        return wanted is not Dataset and wanted not in (bool, int, float, str, list, dict)
    if promised is int and wanted is float:
        return True
    try:
        return issubclass(promised, wanted) or issubclass(wanted, promised)
    except TypeError:
        return True


def prepare(arguments: Mapping[str, Any], files: Files) -> Prepared:
    """Make arguments ready whose handles have all ended well."""
    ready = Prepared()
    for name, value in arguments.items():
        if nodes_in(value):
            ready.values[name] = value
            ready.inputs[name] = Input(_digest(value), _label(value))
            continue
        try:
            ready.parameters[name] = flattened(value)
            ready.values[name] = value
        except TypeError:
            ready.values[name], ready.inputs[name] = _constant(value, files)
    return ready


def _constant(value: Any, files: Files) -> tuple[Any, Input]:
    """A table, array, function or other object made by the pipeline function itself."""
    if callable(value) and not isinstance(value, type):
        # By what it does and not by its pickle, whose bytes may differ between runs.
        return value, Input(trace(value).hash, f"function {getattr(value, '__name__', type(value).__name__)}")
    found, stored = files.keep(value)
    return stored, Input(found, f"{described(type(value))} {found[:8]}")


def _pieces(handle: Handle) -> dict[str, Piece]:
    node, output = source_of(handle)
    return dict(node.pieces) if output is None else {output: node.pieces[output]}


def _stored(value: Any, files: Files) -> Any:
    if isinstance(value, Handle):
        node, output = source_of(value)
        members = {
            name: Stored(piece.materializer, files.of(piece), piece.meta, piece.promised)
            for name, piece in _pieces(value).items()
        }
        if output is None and node.bundle is not None:
            return StoredBundle(node.bundle, members)
        (only,) = members.values()
        return only
    if isinstance(value, Mapping):
        return {key: _stored(item, files) for key, item in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_stored(item, files) for item in value)
    if isinstance(value, list):
        return [_stored(item, files) for item in value]
    return value


def _digest(value: Any) -> str:
    """Of one handle its artifact's digest; of several, the digest of their arrangement."""
    if isinstance(value, Handle):
        pieces = _pieces(value)
        if len(pieces) == 1:
            return next(iter(pieces.values())).digest
    return digest(_arranged(value))


def _arranged(value: Any) -> Any:
    if isinstance(value, Handle):
        return {name: piece.digest for name, piece in _pieces(value).items()}
    if isinstance(value, Mapping):
        return {str(key): _arranged(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_arranged(item) for item in value]
    return flattened(value)


def _label(value: Any) -> str:
    pieces = [piece for node in nodes_in(value) for piece in node.pieces.values()]
    if isinstance(value, Handle):
        pieces = list(_pieces(value).values())
    shown_ones = ", ".join(piece.label for piece in pieces[:3])
    return shown_ones + (f" and {len(pieces) - 3} more" if len(pieces) > 3 else "")


def references(value: Any) -> Any:
    """Arguments of an operation as JSON: every handle replaced by what it stands for."""
    if isinstance(value, Handle):
        found = {name: _reference(piece) for name, piece in _pieces(value).items()}
        return next(iter(found.values())) if source_of(value)[1] is not None or set(found) == {OUTPUT} else found
    if isinstance(value, Mapping):
        return {str(key): references(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [references(item) for item in value]
    return flattened(value)


def _reference(piece: Piece) -> dict[str, Any]:
    return {"artifact": piece.digest, "kind": piece.kind, "step_id": piece.step_id, "run_id": piece.run_id}
