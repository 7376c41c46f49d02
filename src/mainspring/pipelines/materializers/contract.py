"""How values of a type become files and come back.

A materializer is one file in this folder with a class `Materializer`. What every one guarantees:

- `dump` writes one file at `path` and nothing else; equal values give equal bytes wherever the
  format allows it, so that hashes agree between runs. What does not guarantee that says so in
  `is_deterministic`.
- `load` gives back an equal value. It runs in another process, maybe on another day; it looks at
  nothing but the file, `meta` and the wanted type.
- Loading runs no code out of the file. The one exception is `pickle`, the last resort.
- A library that may be missing is imported on `dump` and `load`, never by `accepts`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mainspring.kernel import plugins

KIND = "mainspring.pipelines.materializers"
LAST_RESORT = 100


class MaterializerBase(ABC):
    """One way of storing values. See the module for what implementations guarantee.

    precedence        of those that accept a type the lowest is taken; LAST_RESORT accepts all.
    is_deterministic  equal values give equal bytes.
    """

    precedence: ClassVar[int] = 50
    is_deterministic: ClassVar[bool] = True

    @abstractmethod
    def accepts(self, annotation: Any) -> bool:
        """Whether every value of the annotated type can be stored."""

    @abstractmethod
    def kind(self, value: Any) -> str:
        """What the value is, in a word for people and later stages: `table`, `model`, `json`."""

    @abstractmethod
    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        """Write the file; what `load` and people need to know of it, in JSON's types. Raises InvalidInput."""

    @abstractmethod
    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        """The value; `wanted` is the annotation it is for. Raises InvalidInput, Corrupt, MissingExtra."""


@functools.cache
def materializer(name: str) -> MaterializerBase:
    """The materializer of that name. Raises NotFound."""
    made: MaterializerBase = plugins.load(KIND, name).Materializer()
    return made


@functools.cache
def _ordered() -> tuple[str, ...]:
    return tuple(sorted(plugins.names(KIND), key=lambda name: (materializer(name).precedence, name)))


def name_for(annotation: Any, value: Any) -> str:
    """The materializer for a value that was promised as `annotation`.

    The promise decides, so that the format does not change with the value; where it says too
    little (Any, a protocol, a union of classes) the value's own type does.
    """
    promised = _name_for(annotation)
    if materializer(promised).precedence < LAST_RESORT:
        return promised
    return _name_for(type(value))


def _name_for(annotation: Any) -> str:
    try:
        return _remembered(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _found(annotation)


@functools.lru_cache(maxsize=512)
def _remembered(annotation: Any) -> str:
    return _found(annotation)


def _found(annotation: Any) -> str:
    # In order, and no further than needed: simple types must not load the array libraries.
    if materializer("simple").accepts(annotation):
        return "simple"
    return next(name for name in _ordered() if materializer(name).accepts(annotation))
