"""A step's attempts on the compute engine, and what it reports while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from mainspring.engines.compute.contract import Compute, Task, TaskHandle, TaskResult
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import MainspringError, StepFailed, from_wire
from mainspring.pipelines import work
from mainspring.pipelines.client.nodes import Node
from mainspring.pipelines.client.platform import Platform
from mainspring.pipelines.definitions.steps import Step
from mainspring.pipelines.work import Promise, Written
from mainspring.tracking.model import changed_params, checked_key

_TAIL_LINES = 12
_TAIL_BYTES = 4000
_MOST_POINTS = 10_000


class Cancelled(Exception):
    """The run was cancelled while the step ran or waited for its next attempt."""


@dataclass
class Records:
    """What one attempt said: points, parameters, files. Those of a failed attempt are forgotten with it."""

    platform: Platform
    node: Node
    on_progress: Callable[[Node, Mapping[str, Any]], None]
    params: dict[str, Any] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    seeds: dict[str, int] = field(default_factory=dict)
    has_begun: bool = False

    def hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "metric":
                checked_key("metric", message["key"])
                at = datetime.fromtimestamp(message["time"], UTC).isoformat()
                point = {"key": message["key"], "value": message["value"], "step": message["step"], "time": at}
                self.points.append(plain(point))
                if len(self.points) >= _MOST_POINTS:
                    self.send()
            case "seeds":
                self.seeds = message["values"]
            case "params":
                self.params |= changed_params(self.params, plain(message["values"]))
            case "artifact":
                path = Path(message["path"])
                entry = {"name": checked_key("artifact", message["name"]), "digest": self.platform.upload(path)}
                self.artifacts.append({**entry, "size_bytes": path.stat().st_size})
            case "progress":
                self.on_progress(self.node, message)

    def send(self) -> None:
        """Points that are too many for one call go ahead of the step's end."""
        self.platform.points(self.node, self.points, is_first=not self.has_begun)
        self.has_begun = True
        self.points = []

    def forget(self) -> None:
        """For the next attempt. Points sent already stay: they tell how the failed attempt went."""
        self.params, self.points, self.artifacts = {}, [], []

    def to_json(self) -> dict[str, Any]:
        told = {"params": plain(self.params), "points": self.points, "artifacts": self.artifacts}
        facts = {"facts": {"seeds": self.seeds}} if self.seeds else {}
        return {**told, **facts, "has_begun": self.has_begun} if self.has_begun or any(told.values()) else facts


@dataclass
class Attempts:
    """Runs one step to its end: attempts, pauses between them, and a second execution to compare with.

    seed       derived from the step's key: the same code and inputs draw the same numbers.
    cancelled  set when the run is to stop; running attempts are cancelled through `on_task`.
    """

    compute: Compute
    node: Node
    step: Step[Any, Any]
    seed: int
    records: Records
    folder: Path
    log: Path
    cancelled: Event
    on_task: Callable[[Node, TaskHandle | None], None]

    def run(self, arguments: Mapping[str, Any]) -> list[Written]:
        """The outputs of the first attempt that succeeds. Raises the last one's error, or Cancelled."""
        for number in range(1, self.step.retries + 2):
            self.node.attempts = number
            result = self._attempt(arguments, self.folder / str(number))
            if result.outcome == "succeeded":
                written: list[Written] = result.value
                return written
            if result.outcome == "cancelled" or self.cancelled.is_set():
                raise Cancelled
            if number > self.step.retries:
                raise self._explained(result)
            self.records.forget()
            if self.log.exists():
                self.log.replace(self.log.with_suffix(f".attempt-{number}.log"))
            if self.cancelled.wait(self.step.retry_wait_s * 2 ** (number - 1)):
                raise Cancelled
        raise AssertionError("unreachable: the last attempt returns or raises")

    def is_repeatable(self, arguments: Mapping[str, Any], first: list[Written]) -> bool:
        """Whether a second execution gives the same bytes. Raises what the second one raises."""
        kept = {"params": self.records.params, "points": self.records.points, "artifacts": self.records.artifacts}
        log = self.log
        self.log = log.with_suffix(".second.log")
        try:
            result = self._attempt(arguments, self.folder / "second")
        finally:
            self.log = log
        for name, value in kept.items():
            setattr(self.records, name, value)
        if result.outcome == "cancelled":
            raise Cancelled
        if result.outcome != "succeeded":
            raise self._explained(result)
        again: list[Written] = result.value
        return [(w.name, w.digest) for w in first] == [(w.name, w.digest) for w in again]

    def _attempt(self, arguments: Mapping[str, Any], folder: Path) -> TaskResult:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        signature = self.step.signature
        promise = Promise(self.step.name, signature.parameters, signature.outputs, signature.bundle)
        # Limits are dropped, not refused, by engines that cannot enforce them: one definition runs on all.
        isolates = self.compute.isolates
        task = Task(
            id=self.node.id,
            name=f"step {self.node.label}",
            function=work.perform,
            arguments={
                "function": self.step.fn,
                "arguments": arguments,
                "promise": promise,
                "folder": folder,
                "seed": self.seed,
            },
            log_path=self.log,
            cpu=min(self.step.resources.cpu, self.compute.capacity_cpu),
            memory_bytes=self.step.resources.memory_bytes if isolates else None,
            timeout_s=self.step.timeout_s if isolates else None,
        )
        handle = self.compute.submit(task, self.records.hear)
        self.on_task(self.node, handle)
        try:
            return handle.result()
        finally:
            self.on_task(self.node, None)

    def _explained(self, result: TaskResult) -> MainspringError:
        """The attempt's error with the end of its log and where the rest is."""
        error = from_wire(dict(result.error or {}))
        tried = f" (attempt {self.node.attempts} of {self.step.retries + 1})" if self.step.retries else ""
        fix = f"All of its log: `mainspring logs {self.node.id}`"
        if tail := _tail(self.log):
            fix = f"The end of its log:\n{tail}\n{fix}"
        # What the engine advises names files of this machine; the command does it for every reader.
        advice = "" if "is in" in error.fix or not error.fix else f"{error.fix} "
        return type(error)(error.subject + tried, wanted=error.wanted, found=error.found, fix=advice + fix)


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
    return "\n".join(f"  | {line}" for line in lines)


def as_failure(subject: str, error: Exception) -> MainspringError:
    """Any error as one of the kernel's; those stay as they are."""
    if isinstance(error, MainspringError):
        return error
    said = str(error).strip().splitlines()
    found = type(error).__name__ + (f": {said[0]}" if said else "")
    failure = StepFailed(subject, wanted="it to return", found=found)
    failure.__cause__ = error
    return failure
