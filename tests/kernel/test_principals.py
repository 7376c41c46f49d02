from __future__ import annotations

from itertools import product

import pytest

from mainspring.kernel.errors import NotPermitted
from mainspring.kernel.ids import PrincipalId
from mainspring.kernel.principals import Principal, Role, Verb, use_case

READ, PROMOTE = Verb("registry.version.read", Role.viewer), Verb("registry.version.promote", Role.deployer)


def somebody(role: Role | None, scopes: set[str] | None = None) -> Principal:
    return Principal(PrincipalId("p"), "ada", "default", role, None if scopes is None else frozenset(scopes))


@pytest.mark.parametrize(("role", "verb"), list(product([None, *Role], [READ, PROMOTE])))
def test_a_role_holds_the_verbs_at_or_below_it_and_no_role_holds_none(role: Role | None, verb: Verb) -> None:
    assert somebody(role).may(verb) == (role is not None and role >= verb.least)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("registry", True),
        ("registry.version", True),
        ("registry.version.promote", True),
        ("regis", False),
        ("registry.version.promote.x", False),
        ("data", False),
    ],
)
def test_a_scope_is_a_verb_or_a_whole_prefix_of_one(scope: str, allowed: bool) -> None:
    assert somebody(Role.owner, {scope}).may(PROMOTE) is allowed


def test_a_use_case_refuses_before_anything_runs() -> None:
    ran = []

    class Service:
        @use_case(PROMOTE)
        def promote(self, principal: Principal, name: str) -> str:
            ran.append(name)
            return name

    assert Service().promote(somebody(Role.deployer), "m") == "m"
    with pytest.raises(NotPermitted, match=r"wanted role deployer or higher, found ada as viewer"):
        Service().promote(somebody(Role.viewer), "n")
    assert ran == ["m"]
