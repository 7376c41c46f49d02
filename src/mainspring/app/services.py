"""Every stage's service over one home's engines: the one place that knows how they hang together."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.access.service import AccessService
from mainspring.audit.service import AuditService
from mainspring.data.service import DataService
from mainspring.engines.assembly import Engines
from mainspring.evaluation.service import EvaluationService
from mainspring.jobs.service import JobService
from mainspring.lineage.service import LineageService
from mainspring.pipelines.service import PipelineService
from mainspring.registry.service import RegistryService
from mainspring.tracking.service import TrackingService


@dataclass(frozen=True)
class Services:
    """Every stage's service, built in the order of their layers."""

    access: AccessService
    audit: AuditService
    lineage: LineageService
    jobs: JobService
    data: DataService
    tracking: TrackingService
    pipelines: PipelineService
    evaluation: EvaluationService
    registry: RegistryService


def build_services(engines: Engines) -> Services:
    jobs = JobService(engines)
    data = DataService(engines)
    tracking = TrackingService(engines)
    pipelines = PipelineService(engines, data, tracking)
    evaluation = EvaluationService(engines)
    registry = RegistryService(engines, jobs, tracking, evaluation)
    lineage = LineageService(engines)
    lineage.resolvers += [data.resolve, registry.resolve]
    jobs.handlers.update(registry.job_handlers())
    return Services(
        AccessService(engines), AuditService(engines), lineage, jobs, data, tracking, pipelines, evaluation, registry
    )
