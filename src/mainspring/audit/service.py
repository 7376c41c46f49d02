"""Use cases of audit: read events, verify chains, sign heads, erase a payload.

What this protects against: anyone who edits, deletes, reorders or truncates events in the database
afterwards, without the signing key or without reaching the heads file, is found out. What it does
not: whoever holds both the database and the key can rewrite everything since the last head that was
kept elsewhere; print one with `mainspring audit head` and keep it where they cannot reach.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from mainspring.audit import permissions, store
from mainspring.audit.events import PayloadErased
from mainspring.audit.model import ChainReport, Fault, Head, Verifier
from mainspring.engines.assembly import Engines
from mainspring.engines.ledger import events as ledger
from mainspring.engines.signing import Signer, is_signed
from mainspring.kernel.errors import Conflict, InvalidInput, NotFound
from mainspring.kernel.events import PLATFORM, LoggedEvent
from mainspring.kernel.principals import Principal, Role, use_case


class AuditService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._signer = Signer(engines.home.signing_key)
        self._signing = threading.Lock()

    @use_case(permissions.READ)
    def events(
        self, principal: Principal, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 100
    ) -> list[LoggedEvent]:
        """The project's events with `seq` greater than `after`, oldest first."""
        with self._engines.sql.read() as connection:
            return ledger.read(connection, principal.project, after=after, kinds=tuple(kinds), limit=min(limit, 1000))

    @use_case(permissions.READ)
    def latest(self, principal: Principal, *, limit: int = 50) -> list[LoggedEvent]:
        """The project's newest events, newest first."""
        with self._engines.sql.read() as connection:
            return ledger.latest(connection, principal.project, limit=min(limit, 1000))

    @use_case(permissions.READ)
    def about(self, principal: Principal, subject_id: str) -> list[LoggedEvent]:
        """The project's events which name an id, oldest first."""
        with self._engines.sql.read() as connection:
            return ledger.about(connection, principal.project, subject_id)

    @use_case(permissions.VERIFY)
    def verify(self, principal: Principal, *, kept: Sequence[Head] = ()) -> list[ChainReport]:
        """Check the project's chain, and for owners the platform's, link by link.

        kept  heads that were kept elsewhere; they must be signed by this home's key and agree.
        """
        heads, problem = self._good_heads([*store.read_heads(self._engines.home.heads), *kept])
        chains = [principal.project] + ([PLATFORM] if principal.role is Role.owner else [])
        reports = []
        with self._engines.sql.read() as connection:
            for project in chains:
                verifier = Verifier(
                    project, [h for h in heads if h.project == project], store.erased_ids(connection, project)
                )
                verifier.walk(store.links(connection, project))
                report = verifier.report(ledger.head(connection, project))
                reports.append(report if problem is None or report.fault else replace(report, fault=problem))
        return reports

    @use_case(permissions.VERIFY)
    def head(self, principal: Principal) -> Head:
        """The project's chain end, signed now: keep it where nobody who runs this home can change it."""
        with self._engines.sql.read() as connection:
            seq, hash = ledger.head(connection, principal.project)
        head = self._signed(principal.project, seq, hash)
        store.append_heads(self._engines.home.heads, [head])
        return head

    @use_case(permissions.ERASE)
    def erase(self, principal: Principal, event_id: str, reason: str) -> LoggedEvent:
        """Erase one event's payload and salt for good; the chain stays intact and says so."""
        if not reason.strip():
            raise InvalidInput("erasure", wanted="a reason", found="none")
        with self._engines.sql.write(principal) as work:
            match store.has_payload(work.connection, principal.project, event_id):
                case None:
                    raise NotFound(f"event {event_id}", wanted="an event of this project", found="none of that id")
                case False:
                    raise Conflict(f"event {event_id}", wanted="a payload to erase", found="one erased before")
            store.erase_payload(work, event_id)
            erased = work.emit(PayloadErased(erased_event_id=event_id, reason=reason))
        self._engines.sql.scrub()
        return erased

    def seal(self) -> int:
        """Sign every chain's end that moved since its last signed head; how many were signed.

        Called by the controller at most once a second and when a process stops.
        """
        with self._signing:
            known = {head.project: head.seq for head in store.read_heads(self._engines.home.heads)}
            with self._engines.sql.read() as connection:
                ends = {project: ledger.head(connection, project) for project in store.projects(connection)}
            moved = [(project, *end) for project, end in ends.items() if end[0] > known.get(project, 0)]
            heads = [self._signed(*end) for end in moved]
            if heads:
                store.append_heads(self._engines.home.heads, heads)
            return len(heads)

    def _signed(self, project: str, seq: int, hash: str) -> Head:
        unsigned = Head(project, seq, hash, self._engines.clocks.wall.now(), self._signer.public_key(), "")
        signature = self._signer.sign(unsigned.message())
        return Head(project, seq, hash, unsigned.signed_at, unsigned.public_key, signature)

    def _good_heads(self, heads: Sequence[Head]) -> tuple[list[Head], Fault | None]:
        """The heads signed by this home's key, and the first that is not as a fault."""
        key, good, problem = self._signer.public_key(), [], None
        for head in heads:
            if head.public_key == key and is_signed(head.message(), head.signature, key):
                good.append(head)
            elif problem is None:
                problem = Fault(
                    head.seq, None, f"a head of {head.project} at event {head.seq} is not signed by this home's key"
                )
        return good, problem
