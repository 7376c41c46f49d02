"""Use cases of access: projects, principals, roles, tokens, and signing in."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta

from mainspring.access import permissions, store
from mainspring.access.events import (
    PrincipalCreated,
    ProjectCreated,
    RoleGranted,
    RoleWithdrawn,
    TokenIssued,
    TokenRevoked,
)
from mainspring.access.model import (
    DEFAULT_PROJECT,
    Account,
    Grant,
    IssuedToken,
    Project,
    Token,
    Who,
    checked_name,
    checked_role,
    digest,
    mint,
    split,
)
from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.kernel.errors import AlreadyExists, InvalidInput, NotAuthenticated, NotFound
from mainspring.kernel.events import PLATFORM
from mainspring.kernel.ids import PrincipalId, ProjectId, new_id
from mainspring.kernel.principals import Principal, Role, use_case

SYSTEM = Principal(PrincipalId("system"), "system", PLATFORM, Role.owner)
"""The platform itself: bootstrap, controllers and job runners act as this principal."""


OWNER = "owner"
LINK_LIVES_S = 15 * 60.0
SESSION_LIVES_S = 12 * 3600.0


class AccessService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def is_ready(self) -> bool:
        """Whether the home has its first project."""
        with self._engines.sql.read() as connection:
            return store.project_named(connection, DEFAULT_PROJECT) is not None

    def bootstrap(self, keep: Callable[[str], None]) -> None:
        """Make the project `default` and its owner where they are missing, and issue the owner's token.

        keep  stores the token's text. It is called before the commit: a process that dies between
              the two leaves a text that opens nothing and is replaced at the next start, never an
              owner whose token nobody has.
        """
        with self._engines.sql.write(SYSTEM) as work:
            owner = store.principal_named(work.connection, OWNER)
            if owner is None:
                owner = self._add_principal(work, OWNER)
                self._add_project(work, DEFAULT_PROJECT, owner.id)
            issued = self._issue(work, owner.id, project=None, role=Role.owner, scopes=None, expires_in_s=None)
            keep(issued.text)

    def sign_in(self, text: str | None, project: str | None = None) -> Principal:
        """The principal behind a token, acting in `project` (default: the token's, else `default`).

        Raises NotAuthenticated for a token that is missing, malformed, unknown, expired or
        revoked, or that belongs to another project. A principal without a role in the project
        gets in and may do nothing, so that a project's existence is not told by the answer.
        """
        parts = split(text or "")
        if parts is None:
            raise _refused("no token" if not text else "text that is not a token")
        id, secret = parts
        with self._engines.sql.read() as connection:
            row = store.sign_in(connection, id)
            if row is None or not hmac.compare_digest(row.secret_digest, digest(secret)):
                raise _refused("one that is not known here")
            token = store.as_token(row)
            acting_in = project or token.project or DEFAULT_PROJECT
            held = store.held_role(connection, token.principal_id, acting_in)
        if flaw := token.flaw(self._engines.clocks.wall.now()):
            raise _refused(flaw)
        if token.project is not None and token.project != acting_in:
            raise _refused("one of another project")
        role = None if held is None else min(token.role, held)
        scopes = None if token.scopes is None else frozenset(token.scopes)
        return Principal(token.principal_id, row.principal_name, acting_in, role, scopes)

    @use_case(permissions.READ_PROJECT)
    def who(self, principal: Principal) -> Who:
        """The principal itself: name, project, role and the reach of its token."""
        assert principal.role is not None  # held by the verb's check
        scopes = None if principal.scopes is None else tuple(sorted(principal.scopes))
        return Who(principal.id, principal.name, principal.project, principal.role.name, scopes)

    @use_case(permissions.READ_PROJECT)
    def projects(self, principal: Principal) -> list[Project]:
        """The projects the principal has a role in."""
        with self._engines.sql.read() as connection:
            return store.projects_of(connection, principal.id)

    @use_case(permissions.READ_PROJECT)
    def name_of(self, principal: Principal, id: str) -> str | None:
        """The name behind a principal's id, for members of the same project; None for everybody else."""
        with self._engines.sql.read() as connection:
            return store.member_name(connection, id, principal.project)

    @use_case(permissions.CREATE_PROJECT)
    def create_project(self, principal: Principal, name: str) -> Project:
        """A new project whose owner is the principal. Raises AlreadyExists."""
        checked_name("project", name)
        with self._engines.sql.write(principal) as work:
            if name == PLATFORM or store.project_named(work.connection, name):
                raise AlreadyExists(f"project {name}", wanted="a new name", found="one in use", fix="Choose another.")
            return self._add_project(work, name, principal.id)

    @use_case(permissions.READ_PRINCIPALS)
    def grants(self, principal: Principal) -> list[Grant]:
        """Who holds which role in the principal's project."""
        with self._engines.sql.read() as connection:
            return store.grants(connection, self._project(principal.project).id)

    @use_case(permissions.CREATE_PRINCIPAL)
    def create_principal(self, principal: Principal, name: str, role: str) -> Account:
        """A new principal with `role` in the acting principal's project. Raises AlreadyExists."""
        checked_name("principal", name)
        held = checked_role(role)
        project = self._project(principal.project)
        with self._engines.sql.write(principal) as work:
            if store.principal_named(work.connection, name):
                raise AlreadyExists(
                    f"principal {name}", wanted="a new name", found="one in use", fix="Grant it a role instead."
                )
            account = self._add_principal(work, name)
            self._set_role(work, account.id, project, held)
            return account

    @use_case(permissions.GRANT_ROLE)
    def grant(self, principal: Principal, name: str, role: str | None) -> Grant | None:
        """Give `name` a role in the project, or take it away with None. Takes effect at once."""
        held = None if role is None else checked_role(role)
        project = self._project(principal.project)
        with self._engines.sql.write(principal) as work:
            account = store.principal_named(work.connection, name)
            if account is None:
                raise NotFound(f"principal {name}", wanted="a known principal", found="none of that name")
            if account.id == principal.id and held is not Role.owner:
                raise InvalidInput(
                    f"role of {name}",
                    wanted="another owner to change it",
                    found="yourself",
                    fix="A project keeps its owner.",
                )
            self._set_role(work, account.id, project, held)
        return None if held is None else Grant(name, project.name, held.name)

    @use_case(permissions.ISSUE_TOKEN)
    def issue_token(
        self,
        principal: Principal,
        *,
        name: str | None = None,
        role: str | None = None,
        scopes: list[str] | None = None,
        expires_in_s: float | None = None,
    ) -> IssuedToken:
        """A token for the principal itself, or, by an owner, for `name`; good in this project only.

        It never reaches further than the acting principal's own role and scopes do.
        """
        assert principal.role is not None  # held by the verb's check
        most = principal.role if role is None else min(checked_role(role), principal.role)
        if expires_in_s is not None and expires_in_s <= 0:
            raise InvalidInput("token expiry", wanted="a positive number of seconds", found=f"{expires_in_s:g}")
        with self._engines.sql.write(principal) as work:
            owner_id = principal.id
            if name is not None and name != principal.name:
                principal.require(permissions.CREATE_PRINCIPAL)
                account = store.principal_named(work.connection, name)
                if account is None:
                    raise NotFound(f"principal {name}", wanted="a known principal", found="none of that name")
                owner_id = account.id
            reach = _narrowed(principal, scopes)
            return self._issue(
                work, owner_id, project=principal.project, role=most, scopes=reach, expires_in_s=expires_in_s
            )

    @use_case(permissions.READ_TOKENS)
    def tokens(self, principal: Principal) -> list[Token]:
        """The principal's own tokens, without their secrets."""
        with self._engines.sql.read() as connection:
            return store.tokens_of(connection, principal.id)

    @use_case(permissions.REVOKE_TOKEN)
    def revoke_token(self, principal: Principal, id: str) -> None:
        """Make a token useless from now on; another's token only by an owner."""
        with self._engines.sql.write(principal) as work:
            token = store.token(work.connection, id)
            known = token is not None and (token.principal_id == principal.id or token.project == principal.project)
            if token is None or not known:
                raise NotFound(f"token {id}", wanted="a token of this project", found="none of that id")
            if token.principal_id != principal.id:
                principal.require(permissions.CREATE_PRINCIPAL)
            if token.revoked_at is None:
                store.revoke(work, id)
                work.emit(TokenRevoked(token_id=id, of_principal_id=token.principal_id), project=PLATFORM)

    @use_case(permissions.OPEN_LINK)
    def open_link(self, principal: Principal) -> IssuedToken:
        """A code that opens the user interface once, within a quarter of an hour, as this principal."""
        assert principal.role is not None  # held by the verb's check
        with self._engines.sql.write(principal) as work:
            return self._issue(
                work,
                principal.id,
                project=principal.project,
                role=principal.role,
                scopes=(permissions.ENTER.name,),
                expires_in_s=LINK_LIVES_S,
            )

    def enter(self, code: str) -> IssuedToken:
        """Spend a link's code: it is revoked, and a session token of its principal comes back.

        Raises NotAuthenticated where the code is unknown, spent or too old.
        """
        principal = self.sign_in(code)
        principal.require(permissions.ENTER)
        if principal.scopes != frozenset({permissions.ENTER.name}) or principal.role is None:
            raise _refused("one that is no link")
        id, _ = split(code) or ("", "")
        with self._engines.sql.write(principal) as work:
            token = store.token(work.connection, id)
            if token is None or token.flaw(work.now):
                raise _refused("a link that was opened before")
            store.revoke(work, id)
            work.emit(TokenRevoked(token_id=id, of_principal_id=principal.id), project=PLATFORM)
            return self._issue(
                work,
                principal.id,
                project=principal.project,
                role=principal.role,
                scopes=None,
                expires_in_s=SESSION_LIVES_S,
            )

    def _project(self, name: str) -> Project:
        with self._engines.sql.read() as connection:
            project = store.project_named(connection, name)
        if project is None:
            raise NotFound(f"project {name}", wanted="a known project", found="none of that name")
        return project

    def _add_project(self, work: Work, name: str, owner_id: PrincipalId) -> Project:
        project = Project(ProjectId(new_id()), name, work.now)
        store.add_project(work, project)
        work.emit(ProjectCreated(project_id=project.id, name=name), project=PLATFORM)
        self._set_role(work, owner_id, project, Role.owner)
        return project

    def _add_principal(self, work: Work, name: str) -> Account:
        account = Account(PrincipalId(new_id()), name, work.now)
        store.add_principal(work, account)
        work.emit(PrincipalCreated(of_principal_id=account.id, name=name), project=PLATFORM)
        return account

    def _set_role(self, work: Work, principal_id: str, project: Project, role: Role | None) -> None:
        before = store.role_of(work.connection, principal_id, project.id)
        if before == role:
            return
        store.set_role(work, principal_id, project.id, role)
        if role is None:
            assert before is not None
            event = RoleWithdrawn(of_principal_id=principal_id, project_id=project.id, before=before.name)
            work.emit(event, project=PLATFORM)
        else:
            was = None if before is None else before.name
            granted = RoleGranted(of_principal_id=principal_id, project_id=project.id, role=role.name, before=was)
            work.emit(granted, project=PLATFORM)

    def _issue(
        self,
        work: Work,
        principal_id: PrincipalId,
        *,
        project: str | None,
        role: Role,
        scopes: tuple[str, ...] | None,
        expires_in_s: float | None,
    ) -> IssuedToken:
        id, secret, text = mint()
        until = None if expires_in_s is None else work.now + timedelta(seconds=expires_in_s)
        token = Token(id, principal_id, project, role, scopes, work.now, until, None)
        store.add_token(work, token, digest(secret))
        work.emit(
            TokenIssued(
                token_id=id,
                of_principal_id=principal_id,
                role=role.name,
                scopes=scopes,
                project=project,
                expires_at=until.isoformat() if until else None,
            ),
            project=PLATFORM,
        )
        return IssuedToken(text, token)


def _narrowed(principal: Principal, scopes: list[str] | None) -> tuple[str, ...] | None:
    """The scopes a new token gets: never wider than those of the token that asks for it."""
    if scopes is None or principal.scopes is None:
        asked = sorted(principal.scopes) if scopes is None and principal.scopes is not None else scopes
        return None if asked is None else tuple(asked)
    wider = [s for s in scopes if not any(s == own or s.startswith(own + ".") for own in principal.scopes)]
    if wider:
        raise InvalidInput(
            "token scopes", wanted="scopes within " + ", ".join(sorted(principal.scopes)), found=", ".join(wider)
        )
    return tuple(scopes)


def _refused(found: str) -> NotAuthenticated:
    return NotAuthenticated(
        "token",
        wanted="a valid one",
        found=found,
        fix="Issue one with `mainspring token issue`, and give it as MAINSPRING_TOKEN or a bearer token.",
    )
