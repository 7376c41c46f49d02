"""The verbs of jobs."""

from mainspring.kernel.principals import Role, Verb

READ = Verb("jobs.job.read", Role.viewer)
