"""The verbs of lineage."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("lineage.graph.read", Role.viewer)
