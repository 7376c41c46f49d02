"""What the user writes: steps, pipelines, and the calls of the platform inside them."""

from mainspring.pipelines.definitions.handles import Handle
from mainspring.pipelines.definitions.operations import Candidate, choose, operation
from mainspring.pipelines.definitions.pipelines import Pipeline, pipeline
from mainspring.pipelines.definitions.steps import Handles, Partial, Resources, Step, step

__all__ = [
    "Candidate",
    "Handle",
    "Handles",
    "Partial",
    "Pipeline",
    "Resources",
    "Step",
    "choose",
    "operation",
    "pipeline",
    "step",
]
