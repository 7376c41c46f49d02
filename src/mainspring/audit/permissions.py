"""The verbs of audit."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("audit.event.read", Role.viewer)
VERIFY = Verb("audit.chain.verify", Role.viewer)
ERASE = Verb("audit.payload.erase", Role.owner)
