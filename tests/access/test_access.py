from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.access.service import AccessService
from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.ledger import events as ledger
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.clocks import Clocks, ManualClock
from mainspring.kernel.errors import AlreadyExists, InvalidInput, NotAuthenticated, NotFound, NotPermitted
from mainspring.kernel.events import PLATFORM
from mainspring.kernel.principals import Principal, Role


def test_the_database_never_holds_a_token(engines: Engines, access: AccessService, owner: Principal) -> None:
    text = access.issue_token(owner).text
    secret = text.split("_", 2)[2]
    for file in Path(engines.home.root).rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize("text", [None, "", "nonsense", "ms_", "ms_0123456789abcdef_", "ms_0123456789abcdef_wrong"])
def test_a_wrong_token_is_refused_with_what_to_do(access: AccessService, owner: Principal, text: str | None) -> None:
    with pytest.raises(NotAuthenticated, match="mainspring token issue"):
        access.sign_in(text)


def test_a_token_with_a_changed_secret_is_refused(access: AccessService, owner: Principal) -> None:
    text = access.issue_token(owner).text
    assert access.sign_in(text).id == owner.id
    with pytest.raises(NotAuthenticated, match="not known here"):
        access.sign_in(text[:-1] + ("a" if text[-1] != "a" else "b"))


def test_a_revoked_token_ends_at_once_and_says_so(access: AccessService, owner: Principal) -> None:
    issued = access.issue_token(owner)
    access.revoke_token(owner, issued.token.id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        access.sign_in(issued.text)


def test_an_expired_token_is_refused(engines: Engines) -> None:
    clock = ManualClock()
    timed = AccessService(assemble(engines.home, EngineSettings(), Clocks(clock, clock)))
    first: list[str] = []
    timed.bootstrap(first.append)
    issued = timed.issue_token(timed.sign_in(first[0]), expires_in_s=60)
    clock.advance(timedelta(seconds=59))
    assert timed.sign_in(issued.text).name == "owner"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(NotAuthenticated, match="expired"):
        timed.sign_in(issued.text)


def test_a_token_of_another_project_opens_nothing_here(access: AccessService, owner: Principal) -> None:
    access.create_project(owner, "other")
    issued = access.issue_token(owner)
    with pytest.raises(NotAuthenticated, match="another project"):
        access.sign_in(issued.text, "other")


def test_a_token_never_reaches_further_than_who_issued_it(access: AccessService, owner: Principal) -> None:
    narrow = access.sign_in(access.issue_token(owner, role="contributor", scopes=["access", "data"]).text)
    assert narrow.role is Role.contributor
    with pytest.raises(InvalidInput, match="scopes within access, data"):
        access.issue_token(narrow, scopes=["registry"])
    child = access.sign_in(access.issue_token(narrow, role="owner").text)
    assert (child.role, child.scopes) == (Role.contributor, frozenset({"access", "data"}))


def test_a_role_taken_away_is_gone_for_the_next_request(access: AccessService, owner: Principal) -> None:
    access.create_principal(owner, "bob", "deployer")
    text = access.issue_token(owner, name="bob", role="deployer").text
    assert access.sign_in(text).role is Role.deployer
    access.grant(owner, "bob", "viewer")
    assert access.sign_in(text).role is Role.viewer
    access.grant(owner, "bob", None)
    assert access.sign_in(text).role is None
    with pytest.raises(NotPermitted, match="no role"):
        access.projects(access.sign_in(text))


def test_a_project_that_does_not_exist_answers_like_one_without_a_role(access: AccessService, owner: Principal) -> None:
    access.create_project(owner, "theirs")
    access.create_principal(owner, "bob", "viewer")
    with pytest.raises(NotFound):
        access.issue_token(owner, name="nobody")
    text = access.issue_token(owner, name="bob").text
    with pytest.raises(NotAuthenticated) as known:
        access.sign_in(text, "theirs")
    with pytest.raises(NotAuthenticated) as unknown:
        access.sign_in(text, "missing")
    assert str(known.value) == str(unknown.value)


def test_an_owner_cannot_take_the_role_from_itself(access: AccessService, owner: Principal) -> None:
    with pytest.raises(InvalidInput, match="keeps its owner"):
        access.grant(owner, "owner", None)


def test_only_owners_manage_people(access: AccessService, owner: Principal) -> None:
    access.create_principal(owner, "bob", "deployer")
    bob = access.sign_in(access.issue_token(owner, name="bob").text)
    for act in (
        lambda: access.create_principal(bob, "eve", "viewer"),
        lambda: access.grant(bob, "owner", "viewer"),
        lambda: access.create_project(bob, "mine"),
        lambda: access.issue_token(bob, name="owner"),
        lambda: access.revoke_token(bob, access.issue_token(owner).token.id),
    ):
        with pytest.raises(NotPermitted):
            act()


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "naïve", "a/b", "<script>"])
def test_a_name_that_needs_quoting_is_refused(access: AccessService, owner: Principal, name: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 64 letters"):
        access.create_project(owner, name)
    with pytest.raises(InvalidInput):
        access.create_principal(owner, name, "viewer")


def test_names_are_taken_once(access: AccessService, owner: Principal) -> None:
    access.create_project(owner, "p")
    for name in ("p", PLATFORM, "default"):
        with pytest.raises(AlreadyExists):
            access.create_project(owner, name)


def test_a_link_opens_once(access: AccessService, owner: Principal) -> None:
    code = access.open_link(owner).text
    with pytest.raises(NotPermitted):
        access.projects(access.sign_in(code))
    session = access.sign_in(access.enter(code).text)
    assert (session.id, session.role) == (owner.id, Role.owner)
    with pytest.raises(NotAuthenticated, match="revoked"):
        access.enter(code)


def test_an_ordinary_token_is_no_link(access: AccessService, owner: Principal) -> None:
    with pytest.raises(NotAuthenticated, match="no link"):
        access.enter(access.issue_token(owner).text)


def test_everything_about_people_stands_in_the_platform_chain_without_a_name_in_it(
    engines: Engines, access: AccessService, owner: Principal
) -> None:
    access.create_principal(owner, "bob-the-builder", "viewer")
    with engines.sql.read() as connection:
        told = ledger.read(connection, PLATFORM)
        assert ledger.read(connection, "default") == []
    assert [event.kind for event in told][-2:] == ["access.principal.created", "access.role.granted"]
    assert all("bob" not in str((event.subjects, event.edges)) for event in told)
