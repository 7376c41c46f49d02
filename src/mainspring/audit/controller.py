"""Signs the heads of all chains, at most once a second."""

from __future__ import annotations

from datetime import datetime

from mainspring.audit.service import AuditService
from mainspring.surfaces.controllers import Controller


class Sealer(Controller):
    name = "audit.seal"

    def __init__(self, audit: AuditService) -> None:
        self._audit = audit

    def reconcile(self, now: datetime) -> datetime | None:
        self._audit.seal()
        return None
