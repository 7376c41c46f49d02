"""What a driver says to the platform while steps run: gathered, and sent in as few calls as may be.

A claim waits for its answer. The end of a step does not: it goes with the next claim, or within a
moment by itself. Whoever sends takes along what others have queued, so that a hundred steps that
become ready at once are one call. What could not be sent stays queued.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from mainspring.engines.blobs.contract import sha256_of
from mainspring.kernel.errors import Conflict, EngineUnavailable, MainspringError
from mainspring.pipelines.client.nodes import Node
from mainspring.pipelines.client.platform import Platform, named
from mainspring.pipelines.model.keys import KeyParts
from mainspring.pipelines.work import Written

INLINE_BYTES = 256 * 1024
"""Outputs up to this size travel with the call that ends their step."""
_MOST_BYTES = 3 << 20
_MOST_ITEMS = 200


class RunLost(Exception):
    """The run is no longer this driver's: it has ended, or another goes on from it."""


class _Item:
    """One thing to say. `size_bytes` of what is heavy in it."""

    def __init__(self, kind: str, body: Mapping[str, Any], size_bytes: int = 0) -> None:
        self.kind, self.body, self.size_bytes = kind, body, size_bytes
        self.answer: Future[Mapping[str, Any]] = Future()


class Exchanges:
    """The queue of one run. Safe to use from any thread."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._queue: list[_Item] = []
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self.has_news = threading.Event()
        """Set while something waits to be sent that nobody waits for."""
        self.is_cancel_wanted = False
        self.lost: Conflict | None = None
        """What the platform said when it refused this driver for good."""
        self.refusal: MainspringError | None = None
        """The first thing the platform refused of what nobody waits for."""

    def claim(self, node: Node, parts: KeyParts | None, uncached: str | None) -> Mapping[str, Any]:
        """Begin an execution; the answer's status says whether an earlier one stands for it."""
        item = _Item("claims", _claimed(node, parts, uncached))
        self._add(item)
        self.send()
        return item.answer.result()

    def reuse(self, node: Node, parts: KeyParts, uncached: str | None, original_id: str) -> None:
        """Tell, without waiting, that an execution known beforehand stands for this one."""
        self._add(_Item("reuses", {"claim": _claimed(node, parts, uncached), "original_id": original_id}))
        self.has_news.set()

    def finish(
        self, node: Node, status: str, *, outputs: Sequence[Written] = (), log: Path | None = None, **fields: Any
    ) -> None:
        """End an execution with everything it gave and said; sent soon. What is large is uploaded here and now."""
        contents: dict[str, str] = {}
        described = [_described(output) for output in outputs]
        printed = _described_log(log) if log is not None else None
        files = [(output.digest, output.path, output.size_bytes) for output in outputs]
        files += [(printed["digest"], log, printed["size_bytes"])] if printed and log else []
        for digest, path, size in files:
            if size <= INLINE_BYTES and sum(map(len, contents.values())) < _MOST_BYTES:
                contents[digest] = base64.b64encode(path.read_bytes()).decode()
            else:
                self._platform.upload(path)
        body = {"step_id": node.id, "status": status, "attempts": node.attempts, "outputs": described, "log": printed}
        size = sum(map(len, contents.values())) + 150 * len(fields.get("points", ()))
        self._add(_Item("finishes", {**body, "contents": contents, **fields}, size))
        self.has_news.set()

    def send(self) -> None:
        """Send what is queued; with nothing queued, nothing is sent. Raises EngineUnavailable."""
        with self._turn:
            while items := self._taken():
                self._exchange(items)

    def beat(self) -> None:
        """A sign of life, with whatever is queued."""
        with self._turn:
            self._exchange(self._taken())

    def _add(self, item: _Item) -> None:
        with self._lock:
            self._queue.append(item)

    def _taken(self) -> list[_Item]:
        """The oldest items that fit into one call."""
        with self._lock:
            count, size = 0, 0
            for item in self._queue[:_MOST_ITEMS]:
                size += item.size_bytes
                if count and size > _MOST_BYTES:
                    break
                count += 1
            taken, self._queue = self._queue[:count], self._queue[count:]
            if not self._queue:
                self.has_news.clear()
            return taken

    def _exchange(self, items: list[_Item]) -> None:
        body: dict[str, list[Any]] = {"claims": [], "finishes": [], "reuses": []}
        for item in items:
            body[item.kind].append(item.body)
        try:
            answer = self._platform.exchange(body)
        except EngineUnavailable as error:
            self._put_back(items, error)
            raise
        except MainspringError as error:
            self._refused(items, error)
            return
        self.is_cancel_wanted = self.is_cancel_wanted or answer["cancel"]
        claims = [item for item in items if item.kind == "claims"]
        for item, claimed in zip(claims, answer["claimed"], strict=True):
            item.answer.set_result(claimed)

    def _put_back(self, items: list[_Item], error: MainspringError) -> None:
        """Who waits for an answer is told; what nobody waits for is sent again later."""
        for item in items:
            if item.kind == "claims":
                item.answer.set_exception(error)
        with self._lock:
            self._queue = [item for item in items if item.kind != "claims"] + self._queue
            if self._queue:
                self.has_news.set()

    def _refused(self, items: list[_Item], error: MainspringError) -> None:
        """All or nothing was refused: one by one, so that the innocent go through."""
        if len(items) > 1:
            for item in items:
                self._exchange([item])
        elif isinstance(error, Conflict):
            self.lost = error
            for item in items:
                item.answer.set_exception(RunLost())
        elif items and items[0].kind == "claims":
            items[0].answer.set_exception(error)
        else:
            self.refusal = self.refusal or error


def _claimed(node: Node, parts: KeyParts | None, uncached: str | None) -> dict[str, Any]:
    made = {"key": parts.key, "parts": parts.to_json()} if parts else {}
    return {**named(node), **made, "uncached": uncached}


def _described(output: Written) -> dict[str, Any]:
    return {
        "name": output.name,
        "digest": output.digest,
        "size_bytes": output.size_bytes,
        "kind": output.kind,
        "materializer": output.materializer,
        "meta": dict(output.meta),
    }


def _described_log(log: Path) -> dict[str, Any] | None:
    """{"file", "digest", "size_bytes"} of what the last attempt printed; None, and no file, if nothing."""
    if not log.exists():
        return None
    size = log.stat().st_size
    if size == 0:
        log.unlink()
        return None
    return {"file": f"{log.parent.name}/{log.name}", "digest": sha256_of(log), "size_bytes": size}
