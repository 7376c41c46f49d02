from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from mainspring.audit.model import ChainReport
from mainspring.audit.service import AuditService
from mainspring.engines.assembly import Engines
from mainspring.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, NotPermitted
from mainspring.kernel.events import Event, subject
from mainspring.kernel.principals import Principal, Role

EVENTS = 12


@dataclass(frozen=True, kw_only=True)
class Happened(Event):
    kind = "test.happened"
    thing_id: str = subject()
    person: str


@pytest.fixture
def audit(engines: Engines, owner: Principal) -> AuditService:
    """A chain of twelve events; the first ten are sealed."""
    service = AuditService(engines)
    for number in range(EVENTS):
        with engines.sql.write(owner) as work:
            work.emit(Happened(thing_id=f"t{number}", person=f"person-{number}"))
        if number == 9:
            service.seal()
    return service


def spoil(engines: Engines, *statements: str) -> None:
    """Change the database behind the platform's back, as somebody with the file would."""
    with closing(sqlite3.connect(engines.home.root / "mainspring.db")) as raw, raw:
        for statement in statements:
            raw.execute(statement)


def report(audit: AuditService, owner: Principal) -> ChainReport:
    return audit.verify(owner)[0]


def test_an_untouched_chain_is_intact_and_says_what_is_not_sealed(audit: AuditService, owner: Principal) -> None:
    default, platform = audit.verify(owner)
    assert default.ok and platform.ok
    assert (default.events, default.sealed_seq, default.unsealed_events) == (12, 10, 2)
    audit.seal()
    assert report(audit, owner).unsealed_events == 0


FIFTH = "project='default' AND seq=5"
PAYLOAD_OF_FIFTH = f"event_id=(SELECT id FROM events WHERE {FIFTH})"
TAMPERINGS: dict[str, tuple[list[str], int, str]] = {
    "kind edited": ([f"UPDATE events SET kind='test.other' WHERE {FIFTH}"], 5, "edited"),
    "time edited": ([f"UPDATE events SET time=time+1 WHERE {FIFTH}"], 5, "edited"),
    "who edited": ([f"UPDATE events SET principal_id='mallory' WHERE {FIFTH}"], 5, "edited"),
    "subject edited": ([f'UPDATE events SET subjects=\'{{"thing_id":"t99"}}\' WHERE {FIFTH}'], 5, "edited"),
    "role of the subject edited": ([f"UPDATE events SET subject='other_id' WHERE {FIFTH}"], 5, "edited"),
    "edges edited": ([f'UPDATE events SET edges=\'[["a","b","c"]]\' WHERE {FIFTH}'], 5, "edited"),
    "hash edited": ([f"UPDATE events SET hash='00' WHERE {FIFTH}"], 5, "edited"),
    "payload edited": (
        [f'UPDATE payloads SET payload=\'{{"person":"x"}}\' WHERE {PAYLOAD_OF_FIFTH}'],
        5,
        "payload edited",
    ),
    "payload deleted": ([f"DELETE FROM payloads WHERE {PAYLOAD_OF_FIFTH}"], 5, "without an erasure"),
    "event deleted": (
        [f"DELETE FROM payloads WHERE {PAYLOAD_OF_FIFTH}", f"DELETE FROM events WHERE {FIFTH}"],
        5,
        "deleted",
    ),
    "two events swapped": (
        [
            "UPDATE events SET seq=100 WHERE project='default' AND seq=5",
            "UPDATE events SET seq=5 WHERE project='default' AND seq=6",
            "UPDATE events SET seq=6 WHERE project='default' AND seq=100",
        ],
        5,
        "reordered",
    ),
    "end cut off": (["DELETE FROM events WHERE project='default' AND seq>10"], 11, "truncated"),
    "end cut off and the record of it mended": (
        [
            "DELETE FROM events WHERE project='default' AND seq>8",
            "UPDATE chains SET seq=8, hash=(SELECT hash FROM events WHERE project='default' AND seq=8)"
            " WHERE project='default'",
        ],
        9,
        "truncated",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_at_the_first_event_it_touched(
    engines: Engines, audit: AuditService, owner: Principal, name: str
) -> None:
    statements, seq, problem = TAMPERINGS[name]
    spoil(engines, *statements)
    fault = report(audit, owner).fault
    assert fault is not None
    assert fault.seq == seq
    assert problem in fault.problem


def test_a_chain_rewritten_from_one_event_on_is_caught_by_a_head(
    engines: Engines, audit: AuditService, owner: Principal
) -> None:
    """Somebody who recomputes every hash still cannot make the signed head agree."""
    _rewrite_from(engines, 4)
    found = report(audit, owner).fault
    assert found is not None
    assert "signed head knows another event" in found.problem


def test_a_rewrite_of_unsealed_events_is_caught_by_a_head_kept_elsewhere(
    engines: Engines, audit: AuditService, owner: Principal
) -> None:
    kept = audit.head(owner)
    engines.home.heads.unlink()
    _rewrite_from(engines, 11)
    assert report(audit, owner).ok, "without the head nobody can know: the documentation says so"
    assert audit.verify(owner, kept=[kept])[0].fault is not None


def test_a_head_by_another_key_is_a_fault(audit: AuditService, owner: Principal) -> None:
    head = audit.head(owner)
    forged = replace(head, seq=3, hash="0" * 64)
    fault = audit.verify(owner, kept=[forged])[0].fault
    assert fault is not None
    assert "not signed by this home's key" in fault.problem


def test_a_torn_last_line_of_the_heads_is_passed_over_and_a_broken_one_before_is_told(
    engines: Engines, audit: AuditService, owner: Principal
) -> None:
    audit.seal()
    whole = engines.home.heads.read_bytes()
    engines.home.heads.write_bytes(whole + b'{"project":"def')
    assert report(audit, owner).ok
    audit.head(owner)
    assert report(audit, owner).heads == 3, "the torn line is cut off before the next is written"
    engines.home.heads.write_bytes(b"rubbish\n" + whole)
    with pytest.raises(Corrupt, match="line 1"):
        audit.verify(owner)


def test_erasing_a_payload_leaves_the_chain_intact_and_nothing_to_read(
    engines: Engines, audit: AuditService, owner: Principal
) -> None:
    target = audit.events(owner)[4]
    audit.erase(owner, target.id, "asked for by the person")
    after = report(audit, owner)
    assert after.ok
    assert after.erased_payloads == 1
    assert audit.events(owner)[4].payload is None
    for file in engines.home.root.glob("mainspring.db*"):
        assert b"person-4" not in file.read_bytes(), f"{file.name} still holds what was erased"
    with pytest.raises(Conflict, match="erased before"):
        audit.erase(owner, target.id, "again")


def test_an_erasure_names_a_reason_and_an_event_of_this_project(audit: AuditService, owner: Principal) -> None:
    with pytest.raises(InvalidInput):
        audit.erase(owner, audit.events(owner)[0].id, "  ")
    with pytest.raises(NotFound):
        audit.erase(replace(owner, project="other"), audit.events(owner)[0].id, "why not")
    with pytest.raises(NotPermitted):
        audit.erase(replace(owner, role=Role.deployer), audit.events(owner)[0].id, "why not")


def test_only_owners_see_the_platform_chain(audit: AuditService, owner: Principal) -> None:
    assert [r.project for r in audit.verify(replace(owner, role=Role.viewer))] == ["default"]


def test_heads_are_whole_json_lines_readable_by_their_user_only(engines: Engines, audit: AuditService) -> None:
    for line in engines.home.heads.read_text().splitlines():
        assert {"project", "seq", "hash", "signature", "public_key"} <= set(json.loads(line))
    assert engines.home.heads.stat().st_mode & 0o077 == 0
    assert engines.home.signing_key.stat().st_mode & 0o077 == 0


def _rewrite_from(engines: Engines, seq: int) -> None:
    """Forge event `seq` and recompute every hash after it, as an insider without the key would."""
    from mainspring.audit import store
    from mainspring.audit.model import _hash_of

    with engines.sql.read() as connection:
        links = list(store.links(connection, "default"))
    previous = links[seq - 2].hash
    statements = []
    for link in links[seq - 1 :]:
        kind = "test.forged" if link.seq == seq else link.kind
        forged = replace(link, kind=kind, previous_hash=previous)
        previous = _hash_of(forged)
        statements.append(
            f"UPDATE events SET kind='{kind}', previous_hash='{forged.previous_hash}', hash='{previous}'"
            f" WHERE id='{link.id}'"
        )
    statements.append(f"UPDATE chains SET hash='{previous}' WHERE project='default'")
    # Highest first: each new previous_hash must not collide with one still standing.
    spoil(engines, *statements)
