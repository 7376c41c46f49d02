"""What a function promises: its parameters and outputs with their types."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions.handles import OUTPUT

REQUIRED = inspect.Parameter.empty
"""The default of a parameter that has none."""


@dataclass(frozen=True)
class Signature:
    """parameters: name to annotation; defaults: of those that have one; outputs: name to annotation.

    A function that returns a NamedTuple has an output for each of its fields and `bundle` is its
    type; any other has the one output named "output" and no bundle.
    """

    parameters: Mapping[str, Any]
    defaults: Mapping[str, Any]
    outputs: Mapping[str, Any]
    bundle: type | None


def check_annotated(kind: str, name: str, function: Callable[..., Any], *, returns: bool) -> None:
    """Raise InvalidInput, naming the parameter, unless everything is annotated and can be given by name."""
    found = inspect.signature(function)
    for parameter in found.parameters.values():
        subject = f"{kind} {name}, parameter {parameter.name}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidInput(subject, wanted="a parameter that can be given by name", found=str(parameter))
        if parameter.annotation is parameter.empty:
            raise InvalidInput(
                subject,
                wanted="a type hint",
                found="none",
                fix=f"Write `{parameter.name}: <type>`; it says how the value is stored.",
            )
    if returns and found.return_annotation is found.empty:
        raise InvalidInput(
            f"{kind} {name}, return value", wanted="a type hint", found="none", fix="Write `-> <type>`, or `-> None`."
        )


def read_signature(kind: str, name: str, function: Callable[..., Any]) -> Signature:
    """The signature with its hints resolved. Raises InvalidInput where a hint names nothing."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"{kind} {name}, type hints",
            wanted="names that can be found in its module",
            found=str(error),
            fix="Define or import the type at the top of the module.",
        ) from error
    parameters = inspect.signature(function).parameters
    returned = hints.get("return", Any)
    returned = None if returned is type(None) else returned
    bundle = returned if isinstance(returned, type) and issubclass(returned, tuple) else None
    names: tuple[str, ...] = getattr(bundle, "_fields", ())
    fields = typing.get_type_hints(bundle, include_extras=True) if names else {}
    return Signature(
        parameters={parameter: hints.get(parameter, Any) for parameter in parameters},
        defaults={n: p.default for n, p in parameters.items() if p.default is not REQUIRED},
        outputs={name: fields.get(name, Any) for name in names} or {OUTPUT: returned},
        bundle=bundle if names else None,
    )


def bound(
    kind: str, name: str, signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Every parameter with its argument or default, in the order of the function's parameters."""
    names = list(signature.parameters)
    if len(args) > len(names):
        raise InvalidInput(f"{kind} {name}", wanted=f"at most {len(names)} arguments", found=str(len(args)))
    given = dict(zip(names, args, strict=False))
    for parameter, value in kwargs.items():
        if parameter not in signature.parameters:
            wanted = "one of " + ", ".join(names) if names else "no arguments"
            raise InvalidInput(f"{kind} {name}, argument {parameter}", wanted=wanted, found=repr(parameter))
        if parameter in given:
            raise InvalidInput(f"{kind} {name}, argument {parameter}", wanted="one value", found="two")
        given[parameter] = value
    missing = [n for n in names if n not in given and n not in signature.defaults]
    if missing:
        raise InvalidInput(f"{kind} {name}", wanted="a value for " + ", ".join(missing), found="none")
    return {n: given[n] if n in given else signature.defaults[n] for n in names}
