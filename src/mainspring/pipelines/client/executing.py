"""What each kind of call is when it is executed: a step, an operation, a choice."""

from __future__ import annotations

import functools
import hashlib
import math
import weakref
from collections.abc import Mapping
from typing import Any

from mainspring.kernel.errors import InvalidInput, MainspringError
from mainspring.pipelines.client.arguments import prepare, references
from mainspring.pipelines.client.attempts import Attempts, Cancelled, Records, as_failure
from mainspring.pipelines.client.driver import Driver
from mainspring.pipelines.client.nodes import Node, Piece
from mainspring.pipelines.definitions.handles import OUTPUT, loaded, source_of
from mainspring.pipelines.definitions.operations import Choice, Operation
from mainspring.pipelines.definitions.steps import Step
from mainspring.pipelines.materializers.contract import materializer
from mainspring.pipelines.model.code import Trace, trace
from mainspring.pipelines.model.keys import KeyParts
from mainspring.pipelines.model.types import described, rebuilt
from mainspring.pipelines.work import Written


class Execution:
    """Executes the nodes of one run; remembers each step's code hash while the run lasts."""

    def __init__(self) -> None:
        self._traces: weakref.WeakKeyDictionary[Step[Any, Any], Trace] = weakref.WeakKeyDictionary()

    def __call__(self, driver: Driver, node: Node) -> Mapping[str, Piece]:
        match node.request:
            case Operation() as operation:
                return _operate(driver, node, operation)
            case Choice() as choice:
                return _choose(driver, node, choice)
        return self._step(driver, node)

    def _step(self, driver: Driver, node: Node) -> Mapping[str, Piece]:
        step: Step[Any, Any] = node.request.step
        ready = prepare(node.request.arguments, driver.files)
        parts = KeyParts(
            code=self._trace(step).parts,
            types=_types(step),
            inputs=ready.inputs,
            parameters=ready.parameters,
            environment=driver.lock_digest,
        )
        if (hint := _hint(driver, node, parts, step)) is not None:
            node.reused = hint["source"]
            driver.exchanges.reuse(node, parts, _uncached(driver, step), hint["step_id"])
            return _pieces(driver, node, hint["outputs"])
        answer = driver.exchanges.claim(node, parts, _uncached(driver, step))
        if answer["status"] == "cached":
            node.reused = answer["reused"]
            return _pieces(driver, node, answer["outputs"])
        return _execute(driver, node, int(parts.key[:8], 16), ready.arguments(driver.files))

    def _trace(self, step: Step[Any, Any]) -> Trace:
        if step not in self._traces:
            self._traces[step] = trace(step.fn)
        return self._traces[step]


def _hint(driver: Driver, node: Node, parts: KeyParts, step: Step[Any, Any]) -> Mapping[str, Any] | None:
    """An execution known to stand for this one. What the run goes on from counts also without a cache."""
    kept: Mapping[str, Any] | None = driver.hints["kept"].get(node.label)
    if kept is not None and kept["key"] == parts.key and not driver.is_verifying:
        return kept
    known: Mapping[str, Any] | None = driver.hints["known"].get(parts.key)
    return known if _uncached(driver, step) is None else None


def _uncached(driver: Driver, step: Step[Any, Any]) -> str | None:
    if driver.is_verifying:
        return "the run verifies that steps are repeatable"
    return None if step.cache else "the step is marked cache=False"


@functools.lru_cache(maxsize=1024)
def _types(step: Step[Any, Any]) -> dict[str, str]:
    signature = step.signature
    given = {name: described(annotation) for name, annotation in signature.parameters.items()}
    return given | {f"-> {name}": described(annotation) for name, annotation in signature.outputs.items()}


def _execute(driver: Driver, node: Node, seed: int, arguments: Mapping[str, Any]) -> Mapping[str, Piece]:
    step: Step[Any, Any] = node.request.step
    driver.tell(node)
    log = driver.logs / f"{node.id}.log"
    records = Records(driver.platform, node, driver.on_progress)
    folder = driver.folder / node.id
    attempts = Attempts(driver.compute, node, step, seed, records, folder, log, driver.cancelled, driver.on_task)
    repeatable: bool | None = None
    try:
        written = attempts.run(arguments)
        if driver.is_verifying:
            repeatable = attempts.is_repeatable(arguments, written)
    except Cancelled:
        driver.exchanges.finish(node, "cancelled", log=log, **records.to_json())
        raise
    except MainspringError as error:
        driver.exchanges.finish(node, "failed", error=error.to_wire(), log=log, **records.to_json())
        raise
    told = {"log": log, "is_deterministic": repeatable, **records.to_json()}
    driver.exchanges.finish(node, "succeeded", outputs=written, **told)
    return {output.name: _piece(driver, node, output.name, vars(output)) for output in written}


def _pieces(driver: Driver, node: Node, outputs: list[dict[str, Any]]) -> dict[str, Piece]:
    return {output["name"]: _piece(driver, node, output["name"], output) for output in outputs}


def _piece(driver: Driver, node: Node, name: str, output: Mapping[str, Any]) -> Piece:
    step = getattr(node.request, "step", None)
    promised = step.signature.outputs.get(name, Any) if step is not None else Any
    label = node.label if name == OUTPUT else f"{node.label}.{name}"
    return Piece(
        digest=output["digest"],
        kind=output["kind"],
        materializer=output["materializer"],
        meta=output["meta"],
        step_id=node.id,
        run_id=driver.platform.run_id,
        promised=promised,
        label=f"{label} {output['digest'][:8]}",
        path=output.get("path"),
    )


def _operate(driver: Driver, node: Node, operation: Operation) -> Mapping[str, Piece]:
    driver.exchanges.claim(node, None, None)
    driver.tell(node)
    try:
        arguments = references(operation.arguments)
        # The server reads what the steps before this one gave.
        driver.flush()
        answer = driver.platform.operate(operation.path, arguments)
        value = rebuilt(answer, operation.result_type)
        written = _written(driver, node, OUTPUT, value)
    except Exception as error:
        failure = as_failure(f"operation {node.label}", error)
        driver.exchanges.finish(node, "failed", error=failure.to_wire())
        raise failure from error
    node.attempts = 1
    driver.exchanges.finish(node, "succeeded", outputs=[written], facts={"path": operation.path, "answer": answer})
    piece = _piece(driver, node, OUTPUT, vars(written))
    return {OUTPUT: Piece(**{**vars(piece), "promised": operation.result_type})}


def _written(driver: Driver, node: Node, name: str, value: Any) -> Written:
    folder = driver.folder / node.id
    folder.mkdir(exist_ok=True)
    path = folder / name
    simple = materializer("simple")
    meta = simple.dump(value, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Written(name, path, digest, path.stat().st_size, simple.kind(value), "simple", meta)


def _choose(driver: Driver, node: Node, choice: Choice) -> Mapping[str, Piece]:
    driver.exchanges.claim(node, None, None)
    driver.tell(node)
    try:
        chosen, scores = _best(choice)
        pieces = {name: _standing_for(handles[chosen]) for name, handles in choice.groups.items()}
    except Exception as error:
        failure = as_failure(node.label, error)
        driver.exchanges.finish(node, "failed", error=failure.to_wire())
        raise failure from error
    node.attempts = 1
    facts = {
        "prefer": choice.prefer,
        "chosen": chosen,
        "scores": [str(score) if math.isnan(score) else score for score in scores],
        "outputs": {name: piece.digest for name, piece in pieces.items()},
        "of": {name: piece.step_id for name, piece in pieces.items()},
    }
    driver.exchanges.finish(node, "succeeded", facts=facts)
    return pieces


def _best(choice: Choice) -> tuple[int, list[float]]:
    """Index of the best candidate, and every one's score. Raises InvalidInput where none has a number."""
    scores = [float(choice.score(loaded(handle))) for handle in choice.groups[choice.by]]
    known = [index for index, score in enumerate(scores) if not math.isnan(score)]
    if not known:
        raise InvalidInput(choice.name, wanted="a score that is a number", found="only NaN")
    pick = min if choice.prefer == "least" else max
    return pick(known, key=lambda index: scores[index]), scores


def _standing_for(handle: Any) -> Piece:
    """The chosen output as it is, under its own maker: a choice makes nothing new."""
    node, output = source_of(handle)
    if (name := output or OUTPUT) not in node.pieces:
        fix = f"Choose among one of them, say {handle}.{next(iter(node.pieces))}."
        raise InvalidInput(str(handle), wanted="one output", found="several: " + ", ".join(node.pieces), fix=fix)
    piece: Piece = node.pieces[name]
    return piece
