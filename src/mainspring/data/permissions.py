"""The verbs of data."""

from mainspring.kernel.principals import Role, Verb

APPLY = Verb("data.dataset.apply", Role.contributor)
INGEST = Verb("data.dataset.ingest", Role.contributor)
READ = Verb("data.dataset.read", Role.viewer)
