"""Verifying a chain, apart from where it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mainspring.kernel.canonical import canonical
from mainspring.kernel.chain import GENESIS, link_hash, payload_mac


@dataclass(frozen=True)
class Link:
    """An event as stored, with everything its hash was made of."""

    project: str
    seq: int
    id: str
    time: datetime
    kind: str
    principal_id: str
    subject: str
    subjects: Mapping[str, Any]
    edges: Sequence[Sequence[str]]
    mac: str
    hash: str
    previous_hash: str
    payload: Mapping[str, Any] | None
    salt: bytes | None


@dataclass(frozen=True)
class Head:
    """A chain's end at one moment, signed."""

    project: str
    seq: int
    hash: str
    signed_at: datetime
    public_key: str
    signature: str

    def message(self) -> bytes:
        """What is signed."""
        return canonical([self.project, self.seq, self.hash, self.signed_at])


@dataclass(frozen=True)
class Fault:
    """The first thing wrong with a chain."""

    seq: int
    event_id: str | None
    problem: str


@dataclass(frozen=True)
class ChainReport:
    """What verification found in one project's chain.

    sealed_seq  the last event covered by a signed head; later ones could be rewritten unseen by
                whoever holds the database.
    """

    project: str
    events: int
    erased_payloads: int
    sealed_seq: int
    unsealed_events: int
    heads: int
    fault: Fault | None

    @property
    def ok(self) -> bool:
        return self.fault is None


@dataclass
class Verifier:
    """Walks a chain once, oldest link first, and remembers the first fault.

    heads  signed heads of this project whose signature is already known to be good.
    """

    project: str
    heads: Sequence[Head]
    erased: frozenset[str] = frozenset()
    _seq: int = 0
    _hash: str = GENESIS
    _erased_found: int = 0
    _fault: Fault | None = None
    _expected: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for head in self.heads:
            known = self._expected.setdefault(head.seq, head.hash)
            if known != head.hash:
                self._note(head.seq, None, "two signed heads disagree: the chain was rewritten")

    def walk(self, links: Iterable[Link]) -> None:
        for link in links:
            if self._fault is None:
                self._check(link)
            self._seq, self._hash = link.seq, link.hash

    def report(self, stored_head: tuple[int, str]) -> ChainReport:
        """The findings; `stored_head` is what the database says the chain's end is."""
        sealed = max(self._expected, default=0)
        if self._fault is None and sealed > self._seq:
            self._note(
                self._seq + 1, None, f"truncated: a signed head knows event {sealed}, the chain ends at {self._seq}"
            )
        if self._fault is None and stored_head != (self._seq, self._hash):
            self._note(
                self._seq + 1,
                None,
                f"truncated: the chain's record says {stored_head[0]} events, {self._seq} are there",
            )
        unsealed = max(0, self._seq - sealed)
        return ChainReport(self.project, self._seq, self._erased_found, sealed, unsealed, len(self.heads), self._fault)

    def _check(self, link: Link) -> None:
        if link.seq != self._seq + 1:
            return self._note(self._seq + 1, None, f"deleted: event {self._seq + 1} is missing before event {link.seq}")
        if link.previous_hash != self._hash:
            return self._note(link.seq, link.id, "reordered or replaced: it does not follow the event before it")
        if link.hash != _hash_of(link):
            return self._note(link.seq, link.id, "edited: its fields do not give its hash")
        if self._expected.get(link.seq, link.hash) != link.hash:
            return self._note(link.seq, link.id, "rewritten: a signed head knows another event here")
        if link.payload is None or link.salt is None:
            self._erased_found += 1
            if link.id not in self.erased:
                self._note(link.seq, link.id, "payload deleted without an erasure event")
        elif payload_mac(link.payload, link.salt) != link.mac:
            self._note(link.seq, link.id, "payload edited: it does not give its digest")

    def _note(self, seq: int, event_id: str | None, problem: str) -> None:
        if self._fault is None:
            self._fault = Fault(seq, event_id, problem)


def _hash_of(link: Link) -> str:
    return link_hash(
        project=link.project,
        seq=link.seq,
        id=link.id,
        time=link.time,
        kind=link.kind,
        principal_id=link.principal_id,
        subject=link.subject,
        subjects=link.subjects,
        edges=[(edge[0], edge[1], edge[2]) for edge in link.edges],
        mac=link.mac,
        previous_hash=link.previous_hash,
    )
