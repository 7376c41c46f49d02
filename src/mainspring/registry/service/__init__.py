"""Use cases of the registry: versions and aliases, gates, conversions."""

from mainspring.registry.service.profiles import Registration
from mainspring.registry.service.registry import Registered, RegistryService

__all__ = ["Registered", "Registration", "RegistryService"]
