"""Executions of one run while it is driven: what they wait for, what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mainspring.kernel.ids import new_id
from mainspring.pipelines.definitions.handles import OUTPUT
from mainspring.pipelines.model.runs import StepKind, label

State = Literal["waiting", "running", "succeeded", "cached", "failed", "cancelled", "skipped"]
ENDED = ("succeeded", "cached", "failed", "cancelled", "skipped")


@dataclass(frozen=True)
class Piece:
    """An output that is there.

    step_id, run_id  of the execution it came from, in the run being driven.
    promised         the annotation of the output, for reading it.
    label            how a person calls it.
    path             a local file with its bytes; None where they must be fetched first.
    """

    digest: str
    kind: str
    materializer: str
    meta: Mapping[str, Any]
    step_id: str
    run_id: str
    promised: Any
    label: str
    path: Path | None = None


@dataclass
class Node:
    """One call in a pipeline function. States change only under the driver's lock.

    needs    executions whose outputs are among the arguments.
    given    a dataset version or the like: no execution, its pieces were there from the start.
    """

    name: str
    ordinal: int
    kind: StepKind
    request: Any
    outputs: tuple[str, ...]
    needs: tuple[Node, ...]
    bundle: type | None = None
    given: bool = False
    id: str = field(default_factory=new_id)
    state: State = "waiting"
    pieces: Mapping[str, Piece] = field(default_factory=dict)
    error: Exception | None = None
    attempts: int = 0
    reused: Mapping[str, str] | None = None
    read: Callable[[Node, str | None], Any] | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def label(self) -> str:
        return label(self.name, self.ordinal)

    @property
    def has_ended(self) -> bool:
        return self._done.is_set()

    @property
    def is_good(self) -> bool:
        return self.state in ("succeeded", "cached")

    def end(self, state: State, *, pieces: Mapping[str, Piece] | None = None, error: Exception | None = None) -> None:
        """The one end of this execution; everybody who waits goes on."""
        self.pieces, self.error, self.state = pieces or {}, error, state
        self._done.set()

    def wait(self) -> None:
        """Until it ended. Raises its error, or that of what it needed."""
        self._done.wait()
        if self.error is not None:
            raise self.error

    def value(self, output: str | None) -> Any:
        """Wait for an output's value; for the bundle of all, if None and they are named."""
        self.wait()
        assert self.read is not None  # set by the driver before a handle is given out
        return self.read(self, OUTPUT if output is None and self.outputs == (OUTPUT,) else output)

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return self is other
