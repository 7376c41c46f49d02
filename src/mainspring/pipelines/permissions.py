"""The verbs of pipelines."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("pipelines.run.read", Role.viewer)
START = Verb("pipelines.run.start", Role.contributor)
REPORT = Verb("pipelines.run.report", Role.contributor)
CANCEL = Verb("pipelines.run.cancel", Role.contributor)
INTERRUPT = Verb("pipelines.run.interrupt", Role.owner)
APPLY = Verb("pipelines.definition.apply", Role.contributor)
