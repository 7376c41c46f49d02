"""Pipelines: plain Python functions that call steps."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from mainspring.data.definitions import Dataset
from mainspring.kernel.canonical import digest, plain
from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions.signatures import REQUIRED, check_annotated, read_signature
from mainspring.pipelines.model.code import trace
from mainspring.pipelines.model.types import described, flattened, is_jsonable, matches, rebuilt, shown

_RESERVED = ("home", "url", "token", "project", "client", "compute", "resume", "verify", "check", "watch")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline. `default` is REQUIRED where there is none."""

    name: str
    kind: Literal["value", "dataset"]
    annotation: Any
    default: Any

    def parsed(self, text: str) -> Any:
        """The value a command line means: JSON where it is JSON, else the text itself."""
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        if self.annotation is str and not isinstance(value, str):
            value = text
        return self.checked(value)

    def checked(self, value: Any) -> Any:
        """`value` as the parameter's type. Raises InvalidInput."""
        if self.kind == "dataset":
            if isinstance(value, (Dataset, str)):
                return value
            raise self._refused(value, "a dataset, its name, or the id of a version")
        try:
            value = rebuilt(flattened(value), self.annotation)
        except (TypeError, ValueError, KeyError) as error:
            raise self._refused(value, described(self.annotation)) from error
        if not matches(value, self.annotation):
            raise self._refused(value, described(self.annotation))
        return value

    def _refused(self, value: Any, wanted: str) -> InvalidInput:
        return InvalidInput(f"parameter {self.name}", wanted=wanted, found=f"{shown(value)} ({type(value).__name__})")


@dataclass(frozen=True)
class Pipeline:
    """A pipeline; `fn` is the function itself. Branches and loops in it are plain Python."""

    fn: Callable[..., Any]
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.fn.__doc__)
        object.__setattr__(self, "__module__", self.fn.__module__)
        object.__setattr__(self, "__wrapped__", self.fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function as it is: inside another pipeline its steps become part of that one."""
        return self.fn(*args, **kwargs)

    @functools.cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        signature = read_signature("pipeline", self.name, self.fn)
        found = {}
        for name, annotation in signature.parameters.items():
            default = signature.defaults.get(name, REQUIRED)
            kind: Literal["value", "dataset"] = "dataset" if annotation is Dataset else "value"
            if kind == "value" and not is_jsonable(annotation):
                wanted = "bool, int, float, str, list, dict or ms.Dataset"
                raise InvalidInput(
                    f"pipeline {self.name}, parameter {name}", wanted=wanted, found=described(annotation)
                )
            parameter = Parameter(name, kind, annotation, default)
            found[name] = (
                parameter if default is REQUIRED else Parameter(name, kind, annotation, parameter.checked(default))
            )
        return found

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter with the given value or its default. Raises InvalidInput."""
        for name in given:
            if name not in self.parameters:
                wanted = "one of " + ", ".join(self.parameters) if self.parameters else "no parameters"
                raise InvalidInput(f"pipeline {self.name}, parameter {name}", wanted=wanted, found=repr(name))
        values = {}
        for name, parameter in self.parameters.items():
            value = parameter.checked(given[name]) if name in given else parameter.default
            if value is REQUIRED:
                fix = f"Give it with `--param {name}=...`."
                raise InvalidInput(f"pipeline {self.name}, parameter {name}", wanted="a value", found="none", fix=fix)
            values[name] = value
        return values

    def to_definition(self) -> dict[str, Any]:
        """The pipeline in JSON's types: parameters with types and defaults, and the digest of its code.

        The code is that of the pipeline function, its steps and everything of the user's they reach.
        """
        parameters = {}
        for name, parameter in self.parameters.items():
            has_default = parameter.default is not REQUIRED
            default = parameter.default.name if isinstance(parameter.default, Dataset) else parameter.default
            entry = {"type": "dataset" if parameter.kind == "dataset" else described(parameter.annotation)}
            parameters[name] = {
                **entry,
                "required": not has_default,
                **({"default": plain(flattened(default))} if has_default else {}),
            }
        code = trace(self.fn)
        return {"name": self.name, "parameters": parameters, "code_hash": code.hash, "code": dict(code.parts)}

    @property
    def definition_hash(self) -> str:
        return digest(self.to_definition())

    def run(
        self,
        *,
        home: str | Path | None = None,
        url: str | None = None,
        token: str | None = None,
        project: str | None = None,
        client: Any = None,
        compute: str | None = None,
        resume: str | None = None,
        verify: bool = False,
        check: bool = True,
        watch: Callable[[Any], None] | None = None,
        **params: Any,
    ) -> RunResult:
        """Run it here, in this process and its step processes, and wait for the end.

        client   an open client to use instead of connecting by home, url, token and project.
        compute  engine by name: "processes" (each step isolated) or "inline"; default: the home's.
        resume   id of a run to go on with: its parameters and data are taken, finished steps kept.
        verify   execute every step twice, without the cache, and flag those whose outputs differ.
        check    raise the first failed step's error; False returns the failed run instead.
        watch    told of every change of a step (`label`, `state`, `done`, `total`, `note`), from any thread.
        """
        # Found by name: definitions stay pure, and whoever only defines loads no client.
        driver = importlib.import_module("mainspring.pipelines.client.run")
        result: RunResult = driver.run_pipeline(
            self, params, home=home, url=url, token=token, project=project, client=client, compute=compute,
            resume=resume, verify=verify, check=check, watch=watch,
        )  # fmt: skip
        return result


@overload
def pipeline(fn: Callable[..., Any], /) -> Pipeline: ...
@overload
def pipeline(*, name: str | None = ...) -> Callable[[Callable[..., Any]], Pipeline]: ...
def pipeline(fn: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make a function a pipeline. Its parameters are typed: simple values and `ms.Dataset`."""

    def make(function: Callable[..., Any]) -> Pipeline:
        called = name or function.__name__
        check_annotated("pipeline", called, function, returns=False)
        taken = [
            parameter
            for parameter in function.__code__.co_varnames[: function.__code__.co_argcount]
            if parameter in _RESERVED
        ]
        if taken:
            wanted = "a name that is no option of `run`"
            raise InvalidInput(f"pipeline {called}, parameter {taken[0]}", wanted=wanted, found=repr(taken[0]))
        return Pipeline(function, called)

    return make if fn is None else make(fn)


if TYPE_CHECKING:
    from mainspring.pipelines.definitions.results import RunResult
