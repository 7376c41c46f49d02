"""Use cases of pipelines."""

from mainspring.pipelines.service.pipelines import PipelineService

__all__ = ["PipelineService"]
