"""Drives one run: takes the calls of a pipeline function, executes each when what it needs is there.

The pipeline function runs in its caller's thread. Here threads only wait: for the platform to
answer and for step processes to end. Engines that do not isolate execute in the caller's thread at
the moment of the call, where a debugger can follow.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.engines.compute.contract import Compute, TaskHandle
from mainspring.kernel.errors import EngineUnavailable, StepFailed
from mainspring.pipelines.client.arguments import Files, check_arguments, nodes_in
from mainspring.pipelines.client.attempts import Cancelled, as_failure
from mainspring.pipelines.client.exchanges import Exchanges, RunLost
from mainspring.pipelines.client.nodes import Node, Piece, State
from mainspring.pipelines.client.platform import Platform
from mainspring.pipelines.client.pools import discard
from mainspring.pipelines.definitions.handles import OUTPUT, Handle
from mainspring.pipelines.definitions.operations import Choice, Operation
from mainspring.pipelines.definitions.steps import StepCall
from mainspring.pipelines.model.runs import HEARTBEAT_S
from mainspring.pipelines.work import Stored, StoredBundle, load

_THREADS = 32
_GATHER_S = 0.05
"""How long the end of a step waits for company before it is sent by itself."""
_PATIENCE_S = 60.0
_PAUSE_S = 0.5


@dataclass(frozen=True)
class StepChange:
    """Something for people who watch: a step's new state, or word of its progress."""

    id: str
    label: str
    kind: str
    state: str
    done: float | None = None
    total: float | None = None
    note: str = ""
    error: str = ""


class RunCancelled(BaseException):
    """Ends the pipeline function of a cancelled run. Not an Exception, so that no `except` of the user's keeps it."""


Watch = Callable[[StepChange], None]
Execute = Callable[["Driver", Node], Mapping[str, Piece]]
"""Brings one node to its end: its pieces; raises what made it fail. Sets `node.reused` if it was cached."""


class Driver:
    """The `Running` that a pipeline function's calls go to."""

    def __init__(
        self,
        platform: Platform,
        compute: Compute,
        execute: Execute,
        *,
        folder: Path,
        logs: Path,
        lock_digest: str,
        hints: Mapping[str, Any],
        is_verifying: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.platform, self.compute = platform, compute
        self.exchanges, self.hints = Exchanges(platform), hints
        self.folder, self.logs, self.lock_digest = folder, logs, lock_digest
        self.is_verifying = is_verifying
        self.files = Files(folder, platform.fetch)
        self.nodes: list[Node] = []
        self.cancelled = threading.Event()
        self._execute, self._watch = execute, watch
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._ordinals: Counter[str] = Counter()
        self._tasks: dict[Node, TaskHandle] = {}
        self._loaded: dict[tuple[Node, str | None], Any] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "mainspring-step") if compute.isolates else None
        self._stopped = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="mainspring-heartbeat", daemon=True)
        self._heart.start()

    # What the pipeline function calls

    def call(self, request: Any) -> Handle:
        """Take a step, an operation or a choice; its handle. It begins when what it needs has ended."""
        match request:
            case StepCall():
                check_arguments(request.step, request.arguments)
                signature = request.step.signature
                node = self._node(
                    request, request.step.name, "step", tuple(signature.outputs), request.arguments, signature.bundle
                )
            case Operation():
                node = self._node(request, request.name, "operation", (OUTPUT,), request.arguments)
            case Choice():
                node = self._node(request, request.name, "choice", tuple(request.groups), request.groups)
            case _:
                raise TypeError(f"{type(request).__name__} is no call of a pipeline")
        self._advance([node])
        return Handle(node)

    def give(self, name: str, piece: Piece) -> Handle:
        """The handle of something that is there from the start."""
        node = Node(name, 0, "step", None, (OUTPUT,), (), given=True, read=self._read)
        node.end("succeeded", pieces={OUTPUT: piece})
        return Handle(node)

    def _node(
        self, request: Any, name: str, kind: Any, outputs: tuple[str, ...], arguments: Any, bundle: type | None = None
    ) -> Node:
        if self.cancelled.is_set():
            raise RunCancelled
        with self._lock:
            ordinal = self._ordinals[name]
            self._ordinals[name] += 1
            needs = tuple(nodes_in(arguments))
            node = Node(name, ordinal, kind, request, outputs, needs, bundle, read=self._read)
            self.nodes.append(node)
        return node

    # Scheduling

    def _advance(self, nodes: Iterable[Node]) -> None:
        """Begin those that can; end those that never will, and go on with what waited for them."""
        queue = deque(nodes)
        while queue:
            node = queue.popleft()
            match self._decided(node):
                case "running":
                    if self._threads is None:
                        self._run(node)
                    else:
                        self._threads.submit(self._run, node)
                case "skipped":
                    broken = next(needed for needed in node.needs if not needed.is_good)
                    queue.extend(self._close(node, "skipped", error=broken.error))
                case "cancelled":
                    queue.extend(self._close(node, "cancelled", error=_cancelled(node)))

    def _decided(self, node: Node) -> State | None:
        """What becomes of a waiting node now, decided once; None while it has to wait, or was decided before."""
        with self._lock:
            if node.state != "waiting" or not all(needed.has_ended for needed in node.needs):
                return None
            if not all(needed.is_good for needed in node.needs):
                node.state = "skipped"
            else:
                node.state = "cancelled" if self.cancelled.is_set() else "running"
            return node.state

    def _run(self, node: Node) -> None:
        try:
            pieces = self._execute(self, node)
        except (Cancelled, RunLost):
            self._end(node, "cancelled", error=_cancelled(node))
        except Exception as error:  # noqa: BLE001 - a supervisor: whatever happens the node must end
            self._end(node, "failed", error=as_failure(f"step {node.label}", error))
        else:
            self._end(node, "cached" if node.reused else "succeeded", pieces=pieces)

    def _end(
        self, node: Node, state: State, *, pieces: Mapping[str, Piece] | None = None, error: Exception | None = None
    ) -> None:
        # The news of this end goes with a follower's claim, or is sent by the heartbeat in a moment.
        self._advance(self._close(node, state, pieces=pieces, error=error))

    def _close(
        self, node: Node, state: State, *, pieces: Mapping[str, Piece] | None = None, error: Exception | None = None
    ) -> list[Node]:
        """Mark the end of a node; who waited for it."""
        with self._lock:
            node.end(state, pieces=pieces, error=error)
            followers = [other for other in self.nodes if other.state == "waiting" and node in other.needs]
            self._changed.notify_all()
        self.tell(node)
        return followers

    def drain(self) -> None:
        """Wait until every call has ended. Interruptible."""
        with self._changed:
            while not all(node.has_ended for node in self.nodes):
                self._changed.wait()

    # Ending early

    def cancel(self) -> None:
        """Ask for the end of everything: running steps are ended, waiting ones never begin. Returns at once."""
        self.cancelled.set()
        with self._lock:
            tasks = list(self._tasks.values())
            waiting = [node for node in self.nodes if node.state == "waiting"]
        for task in tasks:
            task.cancel()
        self._advance(waiting)

    def kill(self) -> None:
        """End every step process at once."""
        self.cancelled.set()
        discard(self.compute)

    def close(self) -> None:
        self._stopped.set()
        self.exchanges.has_news.set()
        self._heart.join()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def on_task(self, node: Node, task: TaskHandle | None) -> None:
        """Keep track of a step's process while there is one."""
        with self._lock:
            if task is None:
                self._tasks.pop(node, None)
            else:
                self._tasks[node] = task
        if task is not None and self.cancelled.is_set():
            task.cancel()

    def flush(self) -> None:
        """See to it that the platform knows everything. Raises EngineUnavailable after some patience."""
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self.exchanges.send()
            except EngineUnavailable:
                if time.monotonic() > give_up:
                    raise
                self._stopped.wait(_PAUSE_S)

    def _send_news(self) -> None:
        # While the platform cannot be reached: what could not be sent stays queued and goes with the next heartbeat.
        with contextlib.suppress(EngineUnavailable):
            self.exchanges.send()

    def _beat(self) -> None:
        """Tell what nobody waits to tell, and that this driver lives, until `close`."""
        beaten = time.monotonic()
        while not self._stopped.is_set():
            if self.exchanges.has_news.wait(HEARTBEAT_S / 5) and not self._stopped.wait(_GATHER_S):
                self._send_news()
            if time.monotonic() - beaten > HEARTBEAT_S:
                with contextlib.suppress(EngineUnavailable):
                    self.exchanges.beat()
                beaten = time.monotonic()
            if (self.exchanges.lost or self.exchanges.is_cancel_wanted) and not self.cancelled.is_set():
                self.cancel()

    # Values and words

    def _read(self, node: Node, output: str | None) -> Any:
        with self._lock:
            if (node, output) in self._loaded:
                return self._loaded[node, output]
        stored = {
            name: Stored(piece.materializer, self.files.of(piece), piece.meta, piece.promised)
            for name, piece in node.pieces.items()
        }
        if output is not None:
            value = load(stored[output], node.pieces[output].promised)
        elif node.bundle is not None:
            value = load(StoredBundle(node.bundle, stored), Any)
        else:
            value = {name: load(item, item.promised) for name, item in stored.items()}
        with self._lock:
            return self._loaded.setdefault((node, output), value)

    def on_progress(self, node: Node, message: Mapping[str, Any]) -> None:
        done, total, note = (message.get(name) for name in ("done", "total", "note"))
        self._say(StepChange(node.id, node.label, node.kind, node.state, done, total, str(note or "")))

    def tell(self, node: Node) -> None:
        """A word about a node's state. That it runs is told once it is known that nothing stands for it."""
        error = str(node.error) if node.error and node.state == "failed" else ""
        self._say(StepChange(node.id, node.label, node.kind, node.state, error=error))

    def _say(self, change: StepChange) -> None:
        if self._watch is not None:
            self._watch(change)


def _cancelled(node: Node) -> StepFailed:
    return StepFailed(f"step {node.label}", wanted="to run to its end", found="the run was cancelled")
