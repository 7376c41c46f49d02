"""Everything that can go wrong, by what the caller can do about it.

    MainspringError
    ├── NotFound            there is no such thing (or not for you)
    ├── AlreadyExists       the name is taken
    ├── Conflict            someone else changed it: reload and retry
    ├── InvalidInput        fix the request
    │   └── SchemaMismatch  fix the columns or their types
    ├── NotAuthenticated    bring a valid token
    ├── NotPermitted        ask a person who may
    │   └── GateClosed      the evidence says no: ask a person
    ├── StepFailed          user code raised, hung or returned the wrong thing
    ├── EngineUnavailable   retry later, or start the thing that is down
    │   ├── TimedOut        it took longer than allowed
    │   └── MissingExtra    an optional library is not installed
    └── Corrupt             stop and call for help

Every error names its subject, what was wanted, what was found and what to do.
Status numbers, exit codes and colors are mapped once, in `surfaces`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class MainspringError(Exception):
    """The root: a subject, what was wanted, what was found, what to do."""

    code: ClassVar[str] = "error"

    def __init__(self, subject: str, *, wanted: str, found: str, fix: str = "") -> None:
        self.subject, self.wanted, self.found, self.fix = subject, wanted, found, fix
        super().__init__(self.message)

    @property
    def message(self) -> str:
        advice = f" {self.fix}" if self.fix else ""
        return f"{self.subject}: wanted {self.wanted}, found {self.found}.{advice}"

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self).code, self.to_wire()))

    def to_wire(self) -> dict[str, str]:
        """The error as plain text fields, for HTTP bodies, events and pipes."""
        return {
            "code": self.code,
            "subject": self.subject,
            "wanted": self.wanted,
            "found": self.found,
            "fix": self.fix,
            "message": self.message,
        }


class NotFound(MainspringError):
    code = "not_found"


class AlreadyExists(MainspringError):
    code = "already_exists"


class Conflict(MainspringError):
    code = "conflict"


class InvalidInput(MainspringError):
    code = "invalid_input"


class SchemaMismatch(InvalidInput):
    code = "schema_mismatch"


class NotAuthenticated(MainspringError):
    code = "not_authenticated"


class NotPermitted(MainspringError):
    code = "not_permitted"


class GateClosed(NotPermitted):
    code = "gate_closed"


class StepFailed(MainspringError):
    code = "step_failed"


class EngineUnavailable(MainspringError):
    code = "engine_unavailable"


class TimedOut(EngineUnavailable):
    code = "timed_out"


class MissingExtra(EngineUnavailable):
    code = "missing_extra"


class Corrupt(MainspringError):
    code = "corrupt"


def families() -> dict[str, type[MainspringError]]:
    """Every error class by its stable code."""
    found: dict[str, type[MainspringError]] = {}
    queue: list[type[MainspringError]] = [MainspringError]
    while queue:
        family = queue.pop()
        found[family.code] = family
        queue.extend(family.__subclasses__())
    return found


def from_wire(fields: Mapping[str, str]) -> MainspringError:
    """The error that `to_wire` described, as the same class; unknown codes become the root."""
    family = families().get(fields.get("code", ""), MainspringError)
    return family(
        fields.get("subject", "request"),
        wanted=fields.get("wanted", "success"),
        found=fields.get("found", fields.get("message", "an error without a message")),
        fix=fields.get("fix", ""),
    )


def _rebuild(code: str, fields: dict[str, str]) -> MainspringError:
    return from_wire({**fields, "code": code})
