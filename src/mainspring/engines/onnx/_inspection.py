"""Reading an ONNX file as data: what it needs, and what forbids opening it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message

from mainspring.engines.onnx.contract import DOMAINS, ModelFacts, TensorFacts
from mainspring.kernel.errors import InvalidInput


def facts_of(data: bytes, max_bytes: int) -> ModelFacts:
    """The facts of an acceptable model. Raises InvalidInput, naming what forbids it."""
    if len(data) > max_bytes:
        raise _refused(f"at most {max_bytes} bytes", f"{len(data)} bytes")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise _refused("bytes of an ONNX model", "bytes that cannot be parsed as one") from error
    # Protobuf reads many texts, and no bytes at all, as a message with nothing in it.
    if not model.HasField("graph") or not model.opset_import or not model.graph.output:
        raise _refused("bytes of an ONNX model", "no graph in them")
    operators = {_checked(message) for message in _messages(model)} - {""}
    initialized = {tensor.name for tensor in model.graph.initializer}
    return ModelFacts(
        digest=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        opsets={opset.domain: opset.version for opset in model.opset_import},
        operators=tuple(sorted(operators)),
        inputs=tuple(_tensor(value) for value in model.graph.input if value.name not in initialized),
        outputs=tuple(_tensor(value) for value in model.graph.output),
    )


def _messages(message: Message) -> Iterator[Message]:
    """Every message inside `message`, itself included.

    Walking by reflection finds nodes and tensors wherever the format lets them stand, so that a
    place this code never heard of cannot hide one. Numbers and raw bytes are not descended into.
    """
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in [value] if isinstance(value, Message) else value:
            yield from _messages(inner)


def _checked(message: Message) -> str:
    """The operator's name where `message` is a node, else ""; raises InvalidInput for what is not allowed."""
    match message:
        case onnx.TensorProto():
            if message.data_location == onnx.TensorProto.EXTERNAL or message.external_data:
                raise _refused("all data inside the file", f"external data of tensor {message.name!r}")
        case onnx.NodeProto():
            _check_domain(message.domain, f"operator {message.op_type!r} of domain")
            return f"{message.domain}:{message.op_type}" if message.domain else message.op_type
        case onnx.FunctionProto():
            _check_domain(message.domain, f"function {message.name!r} of domain")
        case onnx.OperatorSetIdProto():
            _check_domain(message.domain, "an import of operator domain")
    return ""


def _check_domain(domain: str, what: str) -> None:
    if domain not in DOMAINS:
        allowed = ", ".join(sorted(DOMAINS - {""}))
        raise _refused(f"operators of {allowed} only", f"{what} {domain!r}")


def _tensor(value: Any) -> TensorFacts:
    # Any: onnx's generated classes; ValueInfoProto.
    if not value.type.HasField("tensor_type"):
        kind = value.type.WhichOneof("value") or "no type"
        raise _refused("tensors as inputs and outputs", f"{kind} for {value.name!r}")
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim)
    return TensorFacts(value.name, _dtype(tensor.elem_type, value.name), shape)


def _dtype(element: int, name: str) -> str:
    if element == onnx.TensorProto.STRING:
        return "string"
    try:
        return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element)))
    except KeyError as error:
        raise _refused("a known element type", f"type number {element} for {name!r}") from error


def _refused(wanted: str, found: str) -> InvalidInput:
    return InvalidInput("ONNX model", wanted=wanted, found=found)
