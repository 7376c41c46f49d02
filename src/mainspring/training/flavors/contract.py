"""What a flavor guarantees: it stores one library's estimators and says in plain words what they are.

- `load(save(x))` predicts exactly as `x` does, in another process with the same libraries.
- `save` changes nothing in `x`. Loading runs code: flavors are called in isolated processes or in
  the user's own, never in a server.
- `describe` and `accepts` are cheap and never load the library themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from mainspring.training.definitions import Model


@dataclass(frozen=True)
class Architecture:
    """An estimator in plain words and numbers. `params` in JSON's types."""

    class_name: str
    params: Mapping[str, Any]
    libraries: Mapping[str, str]


class Flavor(ABC):
    """One library's way to store estimators. A plug-in's module holds one as `flavor`."""

    is_general: ClassVar[bool] = False
    """Asked only after those which know a library."""

    @abstractmethod
    def accepts(self, estimator: Any) -> bool: ...

    @abstractmethod
    def describe(self, estimator: Any) -> Architecture: ...

    @abstractmethod
    def save(self, parts: Mapping[str, Any]) -> bytes:
        """The estimator (under "estimator") and what belongs to it. Raises InvalidInput if it cannot be stored."""

    @abstractmethod
    def load(self, data: bytes) -> dict[str, Any]:
        """What `save` was given. Raises Corrupt, or ModuleNotFoundError where a library is missing."""


def dump_model(model: Model) -> bytes:
    """The model as a file, by the flavor that takes its estimator."""
    return model.to_bytes()


def load_model(data: bytes) -> Model:
    """The model in a file, as the class it was: Regressor or Classifier. Runs what its author packed."""
    return Model.from_bytes(data)


def class_name(estimator: Any) -> str:
    kind = estimator if callable(estimator) and hasattr(estimator, "__qualname__") else type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}"


def installed(*distributions: str) -> dict[str, str]:
    """Distribution name to version, of those that are installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
