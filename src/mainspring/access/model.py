"""Projects, the principals in them, and the tokens they act with."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from mainspring.kernel.errors import InvalidInput
from mainspring.kernel.ids import PrincipalId, ProjectId
from mainspring.kernel.principals import Role

DEFAULT_PROJECT = "default"
_PREFIX = "ms"


@dataclass(frozen=True)
class Project:
    id: ProjectId
    name: str
    created_at: datetime


@dataclass(frozen=True)
class Account:
    """A principal as the platform knows it: a person or a program."""

    id: PrincipalId
    name: str
    created_at: datetime


@dataclass(frozen=True)
class Grant:
    """The role a principal holds in a project."""

    principal: str
    project: str
    role: str


@dataclass(frozen=True)
class Who:
    """A principal as it sees itself through the token it came with."""

    id: PrincipalId
    name: str
    project: str
    role: str
    scopes: tuple[str, ...] | None


@dataclass(frozen=True)
class Token:
    """What is known of a token; never the token itself.

    project  the only project it acts in, or None for every project its principal has a role in.
    role     the most it may act as; its principal's own role still bounds it.
    scopes   verbs or verb prefixes it is good for, or None for all.
    """

    id: str
    principal_id: PrincipalId
    project: str | None
    role: Role
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def flaw(self, now: datetime) -> str | None:
        """Why the token is no longer good, or None."""
        if self.revoked_at is not None:
            return f"one revoked at {self.revoked_at:%Y-%m-%d %H:%M} UTC"
        if self.expires_at is not None and self.expires_at <= now:
            return f"one that expired at {self.expires_at:%Y-%m-%d %H:%M} UTC"
        return None


@dataclass(frozen=True)
class IssuedToken:
    """A new token's text, shown once, and what is kept of it."""

    text: str
    token: Token


def mint() -> tuple[str, str, str]:
    """(id, secret, text) of a fresh token: 256 random bits, so that a plain sha-256 keeps it."""
    id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return id, secret, f"{_PREFIX}_{id}_{secret}"


def split(text: str) -> tuple[str, str] | None:
    """(id, secret) of a token's text, or None where it does not have the form of one."""
    prefix, _, rest = text.partition("_")
    id, _, secret = rest.partition("_")
    return (id, secret) if prefix == _PREFIX and len(id) == 16 and secret else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def checked_name(kind: str, name: str) -> str:
    """`name` if it can stand in a URL and on a command line unquoted."""
    if 0 < len(name) <= 64 and name[0].isalnum() and all(c.isalnum() or c in "-_.@" for c in name) and name.isascii():
        return name
    raise InvalidInput(
        f"{kind} name",
        wanted="1 to 64 letters, digits, '-', '_', '.', '@', beginning with a letter or digit",
        found=repr(name[:80]),
    )


def checked_role(name: str) -> Role:
    try:
        return Role[name]
    except KeyError as error:
        raise InvalidInput("role", wanted=", ".join(role.name for role in Role), found=repr(name)) from error
