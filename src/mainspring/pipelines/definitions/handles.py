"""Handles: outputs that may not be there yet, passed on like values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from mainspring.kernel.errors import InvalidInput

OUTPUT = "output"
"""The name of the output of a step that returns one value."""


class Source(Protocol):
    """An execution whose outputs handles stand for."""

    @property
    def label(self) -> str: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def value(self, output: str | None) -> Any:
        """Wait, then the value of one output, or of all. Raises what made the execution fail."""
        ...


class Handle:
    """The future output of a step.

    Give it to another step to make that one wait for it; nothing is waited for until its value is
    needed: by `load()`, in an `if`, a comparison, `float(...)`, `len(...)`, or a loop. Of a step
    with named outputs `handle.train` is the handle of one, and unpacking gives them in order.
    """

    __slots__ = ("_output", "_source")

    def __init__(self, source: Source, output: str | None = None) -> None:
        self._source, self._output = source, output

    def load(self) -> Any:
        """Wait for the value and give it. Raises the step's error if it failed."""
        return self._source.value(self._output)

    def __getattr__(self, name: str) -> Handle:
        outputs = self._source.outputs
        if self._output is None and name in outputs and outputs != (OUTPUT,):
            return Handle(self._source, name)
        if name.startswith("_"):
            raise AttributeError(name)
        named = (
            "its outputs are " + ", ".join(outputs)
            if outputs != (OUTPUT,) and self._output is None
            else "it has one output"
        )
        raise AttributeError(
            f"handle of {self} has no output {name!r}: {named}. For attributes of the value call .load() first."
        )

    def __iter__(self) -> Iterator[Any]:
        outputs = self._source.outputs
        if self._output is None and outputs != (OUTPUT,):
            return iter([Handle(self._source, name) for name in outputs])
        return iter(self.load())

    def __bool__(self) -> bool:
        return bool(self.load())

    def __len__(self) -> int:
        return len(self.load())

    def __getitem__(self, key: Any) -> Any:
        return self.load()[key]

    def __float__(self) -> float:
        return float(self.load())

    def __int__(self) -> int:
        return int(self.load())

    # Two handles are equal if they stand for the same output; with anything else the value is compared.
    def __eq__(self, other: object) -> bool:
        if isinstance(other, Handle):
            return self._source is other._source and self._output == other._output
        return bool(self.load() == other)

    def __hash__(self) -> int:
        return hash((id(self._source), self._output))

    def __lt__(self, other: Any) -> bool:
        return bool(self.load() < loaded(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.load() <= loaded(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.load() > loaded(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.load() >= loaded(other))

    def __str__(self) -> str:
        return self._source.label + (f".{self._output}" if self._output else "")

    def __repr__(self) -> str:
        return f"<handle of {self}>"

    def __reduce__(self) -> Any:
        raise InvalidInput(
            f"handle of {self}",
            wanted="its value to be sent, not the handle",
            found="a handle inside another object",
            fix="Pass the handle as an argument of its own, or in a list, tuple or dict; or call .load().",
        )


def loaded(value: Any) -> Any:
    """The value of a handle; anything else as it is."""
    return value.load() if isinstance(value, Handle) else value


def source_of(handle: Handle) -> tuple[Any, str | None]:
    """(source, output or None for all) behind a handle, for whoever runs the pipeline."""
    return handle._source, handle._output
