"""The arithmetic of a tamper-evident chain, apart from where it is stored.

Each link hashes the one before it, so an edit, a deletion, a swap or a fork breaks every later
link. The payload enters only through a keyed digest under a salt of its own: erase payload and
salt, and the chain still verifies while the payload cannot be guessed back from its digest.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mainspring.kernel.canonical import canonical

GENESIS = "0" * 64
"""`previous_hash` of a chain's first event."""


def payload_mac(payload: Mapping[str, Any], salt: bytes) -> str:
    """HMAC-SHA-256 (RFC 2104) of the canonical payload under its salt, in hex."""
    return hmac.digest(salt, canonical(payload), "sha256").hex()


def link_hash(
    *,
    project: str,
    seq: int,
    id: str,
    time: datetime,
    kind: str,
    principal_id: str,
    subject: str,
    subjects: Mapping[str, Any],
    edges: list[tuple[str, str, str]],
    mac: str,
    previous_hash: str,
) -> str:
    """sha-256 over every chained field, in hex."""
    fields = [project, seq, id, time, kind, principal_id, subject, subjects, edges, mac, previous_hash]
    return hashlib.sha256(canonical(fields)).hexdigest()
