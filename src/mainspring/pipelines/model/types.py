"""Annotations as run-time claims: does a value keep one, how is it said, how is it rebuilt from JSON."""

from __future__ import annotations

import collections.abc
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

SIMPLE = (bool, int, float, str, type(None))
_UNIONS = (typing.Union, types.UnionType)


def described(annotation: Any) -> str:
    """The annotation as a person writes it: `pyarrow.Table`, `list[float]`, `float | None`."""
    if annotation is None or annotation is type(None):
        return "None"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS:
        return " | ".join(described(argument) for argument in arguments)
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is typing.Annotated:
        return described(arguments[0])
    if origin is not None:
        return f"{described(origin)}[{', '.join('...' if a is ... else described(a) for a in arguments)}]"
    if isinstance(annotation, type):
        # `pyarrow.lib.Table` is known to everybody as `pyarrow.Table`.
        module = annotation.__module__.partition(".")[0]
        return annotation.__qualname__ if module == "builtins" else f"{module}.{annotation.__qualname__}"
    return str(annotation).removeprefix("typing.")


def matches(value: Any, annotation: Any) -> bool:
    """Whether `value` keeps what `annotation` promises, as far as that can be seen at run time.

    Elements of lists, tuples and dictionaries are looked at; what cannot be checked (protocols
    that are not run-time checkable, type variables, callables' signatures) is believed. An int
    keeps a promise of float, as for type checkers.
    """
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar):
        return True
    if annotation is None:
        return value is None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS:
        return any(matches(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin is typing.Annotated:
        return matches(value, arguments[0])
    if origin is not None:
        return _keeps(value, origin) and _elements_match(value, origin, arguments)
    return _keeps(value, annotation)


def _keeps(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool))
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    try:
        return isinstance(value, kind)
    except TypeError:
        return True


def _elements_match(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if not arguments or not isinstance(origin, type):
        return True
    if issubclass(origin, tuple):
        if len(arguments) == 2 and arguments[1] is ...:
            return all(matches(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(matches, value, arguments))
    if issubclass(origin, collections.abc.Mapping):
        return all(matches(k, arguments[0]) and matches(v, arguments[1]) for k, v in value.items())
    if issubclass(origin, (list, set, frozenset, collections.abc.Sequence)):
        return all(matches(item, arguments[0]) for item in value)
    return True


def is_jsonable(annotation: Any, _seen: frozenset[Any] = frozenset()) -> bool:
    """Whether every value of the annotation can go to JSON and come back equal through `rebuilt`."""
    if annotation is None or annotation in SIMPLE or annotation in (list, dict, date, datetime):
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return all(isinstance(choice, SIMPLE) for choice in arguments)
    if origin is typing.Annotated:
        return is_jsonable(arguments[0], _seen)
    if origin in _UNIONS:
        return all(is_jsonable(argument, _seen) for argument in arguments) and _told_apart(arguments)
    if origin in (list, collections.abc.Sequence, tuple):
        return all(argument is ... or is_jsonable(argument, _seen) for argument in arguments)
    if origin in (dict, collections.abc.Mapping):
        return arguments[0] in (str, int) and (arguments[1] is Any or is_jsonable(arguments[1], _seen))
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, Enum):
        return all(isinstance(member.value, SIMPLE) for member in annotation)
    if annotation in _seen:
        return True
    if fields := _fields(annotation):
        return all(is_jsonable(hint, _seen | {annotation}) for hint in fields.values())
    return False


def _told_apart(arguments: tuple[Any, ...]) -> bool:
    """A union can be rebuilt where at most one member is not one of JSON's own scalar types."""
    return sum(argument not in SIMPLE for argument in arguments) <= 1


def _fields(kind: type) -> dict[str, Any]:
    """Field name to annotation of a dataclass or NamedTuple; empty for other types and unresolvable hints."""
    names: list[str] = []
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.init]
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = list(kind._fields)
    try:
        hints = typing.get_type_hints(kind) if names else {}
    except (NameError, TypeError):
        return {}
    return {name: hints[name] for name in names} if all(name in hints for name in names) else {}


def flattened(value: Any) -> Any:
    """`value` in JSON's types, keeping the order of dictionaries; NaN and infinities stay floats.

    Raises TypeError for what JSON cannot hold.
    """
    if isinstance(value, Enum):
        return flattened(value.value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: flattened(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: flattened(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, Mapping):
        if unfit := [key for key in value if not isinstance(key, (str, int)) or isinstance(key, bool)]:
            raise TypeError(f"a dictionary with the key {unfit[0]!r} has no JSON form")
        return {str(key): flattened(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [flattened(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def rebuilt(value: Any, annotation: Any) -> Any:
    """The value of type `annotation` that `flattened` made `value` from. Raises TypeError or ValueError."""
    if annotation in (Any, object, None) or isinstance(annotation, str):
        return value
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return rebuilt(value, arguments[0])
    if origin in _UNIONS:
        return _rebuilt_union(value, arguments)
    if origin in (list, collections.abc.Sequence):
        return [rebuilt(item, arguments[0]) for item in value]
    if origin is tuple:
        hints = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        return tuple(rebuilt(item, hint) for item, hint in zip(value, hints, strict=True))
    if origin in (dict, collections.abc.Mapping):
        return {arguments[0](key): rebuilt(item, arguments[1]) for key, item in value.items()}
    if annotation is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if annotation is datetime or annotation is date:
        return annotation.fromisoformat(value)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return annotation(value)
    if isinstance(annotation, type) and isinstance(value, dict) and (fields := _fields(annotation)):
        return annotation(**{name: rebuilt(value[name], hint) for name, hint in fields.items() if name in value})
    return value


def _rebuilt_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    if value is None or any(argument in SIMPLE and type(value) is argument for argument in arguments):
        return value
    for argument in sorted(arguments, key=lambda a: a in SIMPLE):
        try:
            candidate = rebuilt(value, argument)
        except (TypeError, ValueError, KeyError):
            continue
        if matches(candidate, argument):
            return candidate
    raise TypeError(f"{value!r} is none of {', '.join(map(described, arguments))}")


def shown(value: Any, limit: int = 80) -> str:
    """`value` in at most `limit` characters, for messages."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
