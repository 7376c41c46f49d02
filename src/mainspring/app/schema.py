"""The whole schema: importing every store declares its tables on the one MetaData."""

from mainspring.access import store as _access
from mainspring.data import store as _data
from mainspring.engines.ledger import events as _events
from mainspring.engines.ledger import leases as _leases
from mainspring.engines.ledger.schema import metadata
from mainspring.evaluation import store as _evaluation
from mainspring.jobs import store as _jobs
from mainspring.pipelines import store as _pipelines
from mainspring.registry.store import tables as _registry
from mainspring.tracking import store as _tracking

STORES = (_access, _data, _events, _leases, _evaluation, _jobs, _pipelines, _registry, _tracking)

__all__ = ["STORES", "metadata"]
