"""The verbs of the registry."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("registry.version.read", Role.viewer)
REGISTER = Verb("registry.version.register", Role.contributor)
GATE = Verb("registry.version.gate", Role.contributor)
PROMOTE = Verb("registry.version.promote", Role.deployer)
ALIAS = Verb("registry.version.alias", Role.deployer)
DEPRECATE = Verb("registry.version.deprecate", Role.deployer)
