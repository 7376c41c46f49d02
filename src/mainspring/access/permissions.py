"""The verbs of access: who may see and change who may do what."""

from mainspring.kernel.principals import Role, Verb

READ_PROJECT = Verb("access.project.read", Role.viewer)
CREATE_PROJECT = Verb("access.project.create", Role.owner)
READ_PRINCIPALS = Verb("access.principal.read", Role.owner)
CREATE_PRINCIPAL = Verb("access.principal.create", Role.owner)
GRANT_ROLE = Verb("access.role.grant", Role.owner)
ISSUE_TOKEN = Verb("access.token.issue", Role.viewer)
READ_TOKENS = Verb("access.token.read", Role.viewer)
REVOKE_TOKEN = Verb("access.token.revoke", Role.viewer)
OPEN_LINK = Verb("access.link.open", Role.viewer)
ENTER = Verb("access.link.enter", Role.viewer)
