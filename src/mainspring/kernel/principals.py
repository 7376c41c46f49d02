"""Who acts, in which project, and what they may do there. Default deny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from mainspring.kernel.errors import NotPermitted
from mainspring.kernel.ids import PrincipalId

VERB_ATTRIBUTE = "__verb__"
"""Where a use case carries its verb, for whoever wants to list them."""

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class Role(IntEnum):
    """Each role may do what the ones below it may."""

    viewer = 10
    contributor = 20
    deployer = 30
    owner = 40


@dataclass(frozen=True)
class Verb:
    """A use case by its permission name (`registry.version.promote`) and the least role that holds it."""

    name: str
    least: Role


@dataclass(frozen=True)
class Principal:
    """An authenticated person or program, acting in one project.

    role     None where the principal has no role in the project: every verb is refused.
    scopes   None for all verbs of the role; else only verbs that equal a scope or lie below it
             ("registry" holds "registry.version.promote").
    """

    id: PrincipalId
    name: str
    project: str
    role: Role | None
    scopes: frozenset[str] | None = None

    def may(self, verb: Verb) -> bool:
        if self.role is None or self.role < verb.least:
            return False
        return self.scopes is None or any(
            verb.name == scope or verb.name.startswith(scope + ".") for scope in self.scopes
        )

    def require(self, verb: Verb) -> None:
        """Raise NotPermitted unless this principal may `verb` in its project."""
        if not self.may(verb):
            held = f"{self.name} as {self.role.name}" if self.role else f"{self.name} with no role"
            if self.role is not None and self.role >= verb.least:
                held += f", by a token for {', '.join(sorted(self.scopes or ()))} only"
            raise NotPermitted(
                f"{verb.name} in project {self.project}",
                wanted=f"role {verb.least.name} or higher",
                found=held,
                fix="Ask an owner of the project to grant the role.",
            )


def use_case(
    verb: Verb,
) -> Callable[[Callable[Concatenate[S, Principal, P], R]], Callable[Concatenate[S, Principal, P], R]]:
    """Mark a service method as a use case: its principal must hold `verb` before anything is read."""

    def mark(method: Callable[Concatenate[S, Principal, P], R]) -> Callable[Concatenate[S, Principal, P], R]:
        @wraps(method)
        def checked(self: S, principal: Principal, /, *args: P.args, **kwargs: P.kwargs) -> R:
            principal.require(verb)
            return method(self, principal, *args, **kwargs)

        setattr(checked, VERB_ATTRIBUTE, verb)
        return checked

    return mark
