"""What a trained model expects and promises: its signature, and the card its file begins with.

A model file is a card anyone may read, then the estimator's bytes, which only an isolated process
or the user's own may load. The registry, the gateway and pages need no more than the card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pt

from mainspring.kernel.canonical import canonical
from mainspring.kernel.errors import Corrupt, SchemaMismatch

FieldType = Literal["float", "int", "bool", "string"]
OutputKind = Literal["value", "probability"]

_MAGIC = b"mainspring model 1\n"
_ALSO: dict[str, tuple[str, ...]] = {"float": ("int", "bool"), "int": ("bool",)}
"""Types that lose nothing as the key's type."""


@dataclass(frozen=True)
class Field:
    """A column a model reads. `is_nullable` where the training rows had missing values in it."""

    name: str
    type: FieldType
    is_nullable: bool


@dataclass(frozen=True)
class Signature:
    """The columns a model reads, in order, and whether it answers a value or a probability."""

    inputs: tuple[Field, ...]
    output: OutputKind

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.inputs)

    def check(self, rows: pa.Table) -> None:
        """Raise SchemaMismatch, naming the column, where `rows` lacks one or holds another type.

        Integers are taken where floats are wanted. Missing values are never refused here: whether
        they are an error is the caller's policy.
        """
        for one in self.inputs:
            found = column_type(rows, one.name)
            if found is not None and found not in (one.type, *_ALSO.get(one.type, ())):
                raise SchemaMismatch(f"column {one.name}", wanted=one.type, found=found)

    def to_json(self) -> dict[str, Any]:
        inputs = [{"name": f.name, "type": f.type, "is_nullable": f.is_nullable} for f in self.inputs]
        return {"inputs": inputs, "output": self.output}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Signature:
        return cls(tuple(Field(**field) for field in document["inputs"]), document["output"])


def signature_of(rows: pa.Table, features: tuple[str, ...], output: OutputKind) -> Signature:
    """The signature of a model trained on the `features` of `rows`.

    Raises SchemaMismatch for a missing column, or one that is neither number, boolean nor text.
    """
    fields = (Field(name, column_type(rows, name) or "float", rows[name].null_count > 0) for name in features)
    return Signature(tuple(fields), output)


def column_type(rows: pa.Table, name: str) -> FieldType | None:
    """The type of a column as a feature; None where it holds nothing but nulls of no type."""
    if name not in rows.column_names:
        raise SchemaMismatch("rows", wanted=f"a column {name!r}", found=", ".join(rows.column_names) or "no columns")
    type = rows.schema.field(name).type
    if pt.is_dictionary(type):
        type = type.value_type
    if pt.is_null(type):
        return None
    if pt.is_boolean(type):
        return "bool"
    if pt.is_integer(type):
        return "int"
    if pt.is_floating(type) or pt.is_decimal(type):
        return "float"
    if pt.is_string(type) or pt.is_large_string(type) or pt.is_string_view(type):
        return "string"
    raise SchemaMismatch(
        f"column {name}",
        wanted="numbers, booleans or text as a feature",
        found=str(type),
        fix="Derive numbers from it in a step before (hour, weekday, days since …).",
    )


@dataclass(frozen=True)
class Card:
    """What is known of a model without loading it.

    kind        "regressor" or "classifier"; positive is the latter's positive label, as text.
    flavor      the plug-in that wrote the estimator's bytes and can read them.
    estimator   its class, parameters and the versions of the libraries behind it.
    signature, sample_input, baseline
                None or empty where the model was made without its training rows. `baseline` is the
                mean of the training target, or the share of positives: what a constant would say.
    """

    kind: str
    flavor: str
    features: tuple[str, ...]
    target: str
    positive: str | None = None
    estimator: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature | None = None
    sample_input: tuple[Mapping[str, Any], ...] = ()
    baseline: float | None = None

    def to_json(self) -> dict[str, Any]:
        signature = self.signature.to_json() if self.signature else None
        return {**vars(self), "features": list(self.features), "signature": signature}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Card:
        signature = Signature.from_json(document["signature"]) if document["signature"] else None
        changed = {
            "features": tuple(document["features"]),
            "sample_input": tuple(document["sample_input"]),
            "signature": signature,
        }
        return cls(**{**document, **changed})


def pack(card: Card, body: bytes) -> bytes:
    """A model file: the card as one line of JSON, then the estimator's bytes."""
    return _MAGIC + canonical(card.to_json()) + b"\n" + body


def unpack(data: bytes) -> tuple[Card, bytes]:
    """The card and the estimator's bytes. Raises Corrupt where `data` is no model file."""
    line, found, body = data[len(_MAGIC) :].partition(b"\n")
    try:
        if not data.startswith(_MAGIC) or not found:
            raise ValueError("it begins otherwise")
        return Card.from_json(json.loads(line)), body
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("model file", wanted="a card, then an estimator", found=f"neither: {error}") from error
