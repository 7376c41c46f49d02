"""What happened to the audit trail itself."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.kernel.events import Event, subject


@dataclass(frozen=True, kw_only=True)
class PayloadErased(Event):
    """The payload and salt of `erased_event_id` are gone; its place in the chain stands."""

    kind = "audit.payload.erased"
    erased_event_id: str = subject()
    reason: str
