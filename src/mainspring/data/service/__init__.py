"""Use cases of data: apply definitions, ingest sources, look at versions and at what was set apart."""

from mainspring.data.service.ingesting import DataService

__all__ = ["DataService"]
