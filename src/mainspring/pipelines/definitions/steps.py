"""Steps: plain typed functions whose calls inside a pipeline are run, stored and remembered."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions import running
from mainspring.pipelines.definitions.handles import Handle, loaded
from mainspring.pipelines.definitions.signatures import Signature, bound, check_annotated, read_signature

P = ParamSpec("P")
R = TypeVar("R")

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True)
class Resources:
    """What a step may use: `cpu` cores (its libraries get as many threads) and `memory` as "512Mi", "2Gi"."""

    cpu: int = 1
    memory: str | None = None

    def __post_init__(self) -> None:
        if self.cpu < 1:
            raise InvalidInput("resources, cpu", wanted="at least 1", found=str(self.cpu))
        if self.memory is not None and not self.memory_bytes:
            raise InvalidInput("resources, memory", wanted='a size such as "512Mi" or "2Gi"', found=repr(self.memory))

    @property
    def memory_bytes(self) -> int | None:
        if self.memory is None:
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", self.memory.strip().lower())
        return int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0


@dataclass(frozen=True)
class StepCall:
    """A request to whoever runs the pipeline: execute `step` with `arguments`, handles among them."""

    step: Step[Any, Any]
    arguments: Mapping[str, Any]


class Handles(list[Any]):
    """The handles of a mapped step, in the order of what it was mapped over. Iterating waits for nothing."""

    def __getattr__(self, name: str) -> Handles:
        """Of steps with named outputs, the handles of one output."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Handles(getattr(handle, name) for handle in self)

    def load(self) -> list[Any]:
        """Wait for all and give their values."""
        return [loaded(handle) for handle in self]

    def __repr__(self) -> str:
        return f"<handles of {', '.join(map(str, self))}>"


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A function as a step of pipelines; `fn` is the function itself.

    Called inside a running pipeline it returns a handle at once; anywhere else it simply calls the
    function, so that it can be used in a notebook and tested without the platform.

    retries       further attempts after a failed one; the pause begins at `retry_wait_s`, doubling.
    timeout_s     after which an attempt is ended, in engines that isolate.
    cache         False for a step whose result does not follow from code, inputs and parameters.
    """

    fn: Callable[P, R]
    name: str
    retries: int = 0
    retry_wait_s: float = 1.0
    timeout_s: float | None = None
    resources: Resources = field(default_factory=Resources)
    cache: bool = True

    def __post_init__(self) -> None:
        # As functools.wraps does, so that `help`, signatures and doctests see the function.
        for name in ("__doc__", "__module__", "__qualname__"):
            object.__setattr__(self, name, getattr(self.fn, name, None))
        object.__setattr__(self, "__wrapped__", self.fn)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        now = running.current()
        if now is None:
            return self.fn(*args, **kwargs)
        arguments = bound("step", self.name, self.signature, args, kwargs)
        # A handle of R behaves as an R that is still to come; type checkers see the R.
        return cast(R, now.call(StepCall(self, arguments)))

    @functools.cached_property
    def signature(self) -> Signature:
        return read_signature("step", self.name, self.fn)

    def partial(self, **arguments: Any) -> Partial:
        """The step with some arguments given already."""
        return Partial(self, {}).partial(**arguments)

    def map(self, *lists: Any, **named: Any) -> Handles:
        """Call the step once per element; see `Partial.map`."""
        return Partial(self, {}).map(*lists, **named)


@dataclass(frozen=True)
class Partial:
    """A step with some of its arguments given."""

    step: Step[Any, Any]
    arguments: Mapping[str, Any]

    def partial(self, **arguments: Any) -> Partial:
        for name in arguments:
            if name not in self.step.signature.parameters:
                wanted = "one of " + ", ".join(self.step.signature.parameters)
                raise InvalidInput(f"step {self.step.name}, argument {name}", wanted=wanted, found=repr(name))
        return Partial(self.step, {**self.arguments, **arguments})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.step(**self._named(args), **{**self.arguments, **kwargs})

    def map(self, *lists: Any, **named: Any) -> Handles:
        """Call the step once per element of the lists, which are zipped.

        Positional lists are for the first parameters not given yet. Raises InvalidInput where the
        lists differ in length. An empty list gives no calls.
        """
        columns = {**self._named(lists), **named}
        if not columns:
            raise InvalidInput(f"map of step {self.step.name}", wanted="at least one list", found="none")
        rows = {name: _elements(self.step.name, name, values) for name, values in columns.items()}
        lengths = {name: len(values) for name, values in rows.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise InvalidInput(f"map of step {self.step.name}", wanted="lists of one length", found=found)
        count = next(iter(lengths.values()))
        return Handles(
            [
                self.step(**{**self.arguments, **{name: values[index] for name, values in rows.items()}})
                for index in range(count)
            ]
        )

    def _named(self, values: tuple[Any, ...]) -> dict[str, Any]:
        free = [name for name in self.step.signature.parameters if name not in self.arguments]
        if len(values) > len(free):
            wanted = f"at most {len(free)} positional arguments ({', '.join(free) or 'all are given'})"
            raise InvalidInput(f"step {self.step.name}", wanted=wanted, found=str(len(values)))
        return dict(zip(free, values, strict=False))


def _elements(step: str, name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)):
        raise InvalidInput(f"map of step {step}, {name}", wanted="a list", found=type(values).__name__)
    try:
        return list(values)
    except TypeError as error:
        raise InvalidInput(
            f"map of step {step}, {name}", wanted="a list", found=type(loaded(values)).__name__
        ) from error


@overload
def step(fn: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    retries: int = ...,
    retry_wait_s: float = ...,
    timeout_s: float | None = ...,
    resources: Resources = ...,
    cache: bool = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    retries: int = 0,
    retry_wait_s: float = 1.0,
    timeout_s: float | None = None,
    resources: Resources | None = None,
    cache: bool = True,
    name: str | None = None,
) -> Any:
    """Make a function a step; see `Step` for the options.

    Every parameter and the return value need a type hint: it says how the value is stored.

    >>> @step(retries=2)
    ... def double(number: float) -> float:
    ...     return 2 * number
    >>> double(21.0)
    42.0
    """

    def make(function: Callable[..., Any]) -> Step[Any, Any]:
        called = name or function.__name__
        if not callable(function) or isinstance(function, type):
            raise InvalidInput(f"step {called}", wanted="a function", found=repr(function))
        check_annotated("step", called, function, returns=True)
        _require(called, "retries", retries >= 0, "0 or more", retries)
        _require(called, "retry_wait_s", retry_wait_s >= 0, "0 or more", retry_wait_s)
        _require(called, "timeout_s", timeout_s is None or timeout_s > 0, "more than 0, or None", timeout_s)
        limits = resources or Resources()
        return Step(function, called, retries, retry_wait_s, timeout_s, limits, cache)

    return make if fn is None else make(fn)


def _require(name: str, option: str, holds: bool, wanted: str, found: Any) -> None:
    if not holds:
        raise InvalidInput(f"step {name}, {option}", wanted=wanted, found=str(found))


__all__ = ["Handle", "Handles", "Partial", "Resources", "Step", "StepCall", "step"]
