"""The verbs of tracking."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("tracking.run.read", Role.viewer)
WRITE = Verb("tracking.run.write", Role.contributor)
READ_ARTIFACT = Verb("tracking.artifact.read", Role.viewer)
WRITE_ARTIFACT = Verb("tracking.artifact.write", Role.contributor)
