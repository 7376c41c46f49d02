"""The verbs of evaluation."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("evaluation.evaluation.read", Role.viewer)
RECORD = Verb("evaluation.evaluation.record", Role.contributor)
