"""What a run left behind, as its caller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class StepResult(Protocol):
    """One execution in a run. `outputs` describes them: name to digest, kind, size; see `RunResult.load`."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]: ...
    @property
    def attempts(self) -> int: ...


class RunResult(Protocol):
    """A finished run: its steps, their outputs, and why each of them ran."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> Exception | None: ...
    @property
    def steps(self) -> tuple[StepResult, ...]: ...

    def step(self, label: str) -> StepResult:
        """The step of that name; of several, the first. "train[2]" names the third. Raises NotFound."""
        ...

    def load(self, label: str, output: str | None = None) -> Any:
        """The value of a step's output, read from its artifact."""
        ...

    def why(self, step: str) -> list[str]:
        """In words, why the step ran, or from which run its outputs were taken."""
        ...
