"""ONNX models on onnxruntime, on the CPU, one thread a call unless told otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from mainspring.engines.onnx import _inspection
from mainspring.engines.onnx.contract import (
    MAX_BYTES,
    MEMORY_BYTES,
    TIMEOUT_S,
    Columns,
    ModelFacts,
    Onnx,
    OnnxModel,
    TensorFacts,
)
from mainspring.kernel.errors import InvalidInput, NotFound, SchemaMismatch, from_wire

_ERRORS_ONLY = 3
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
"""All the environment a probe gets: no tokens, no settings."""

onnxruntime.disable_telemetry_events()
onnxruntime.set_default_logger_severity(_ERRORS_ONLY + 1)


def open_engine(home: Path, *, threads: int = 1) -> Onnx:
    """The engine. It keeps nothing in `home`."""
    return OnnxruntimeCpu(threads)


class OnnxruntimeCpu(Onnx):
    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def inspect(self, data: bytes, *, max_bytes: int = MAX_BYTES) -> ModelFacts:
        return _inspection.facts_of(data, max_bytes)

    def open(self, data: bytes, *, max_bytes: int = MAX_BYTES) -> OnnxModel:
        return Session(self.inspect(data, max_bytes=max_bytes), data, self._threads)

    def open_checked(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> OnnxModel:
        data = _read(path, max_bytes)
        vouched = _probe(path, max_bytes, timeout_s, memory_bytes)
        model = self.open(data, max_bytes=max_bytes)
        if model.facts.digest != vouched:
            raise InvalidInput(
                f"ONNX model {path}", wanted="a file that stays the same", found="another one while it was checked"
            )
        return model


class Session(OnnxModel):
    """A model in onnxruntime, which is safe to call from several threads."""

    def __init__(self, facts: ModelFacts, data: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY + 1
        # Spinning threads take the very core that the next request needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InvalidInput("ONNX model", wanted="a model onnxruntime can run", found=_said(error)) from error
        self.facts = facts
        self._output = _answering(facts.outputs)
        self._is_matrix = len(facts.inputs) == 1 and len(facts.inputs[0].shape) == 2 and facts.inputs[0].shape[1] != 1

    def predict(self, rows: Columns | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        feeds = self._from_matrix(rows) if isinstance(rows, np.ndarray) else self._from_columns(rows)
        try:
            answer = self._session.run([self._output], feeds)[0]
        except Exception as error:
            raise InvalidInput("rows", wanted="rows the model can score", found=_said(error)) from error
        return _per_row(np.asarray(answer))

    def _from_columns(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        if self._is_matrix:
            return self._from_matrix(np.column_stack(list(columns.values())))
        missing = [field.name for field in self.inputs if field.name not in columns]
        if missing:
            raise SchemaMismatch(
                "rows", wanted=f"columns {', '.join(missing)}", found=", ".join(columns) or "no columns"
            )
        return {field.name: _tensor(field, columns[field.name]) for field in self.inputs}

    def _from_matrix(self, matrix: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        wanted = self.inputs[0].shape[1] if self._is_matrix else len(self.inputs)
        if matrix.ndim != 2 or wanted not in (None, matrix.shape[1]):
            raise SchemaMismatch("rows", wanted=f"a matrix of {wanted} columns", found=f"shape {matrix.shape}")
        if self._is_matrix:
            return {self.inputs[0].name: _tensor(self.inputs[0], matrix)}
        return {field.name: _tensor(field, matrix[:, at]) for at, field in enumerate(self.inputs)}


def _tensor(field: TensorFacts, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`values` in the input's dtype and number of dimensions."""
    try:
        if field.dtype == "string":
            tensor = np.array([_text(value) for value in values.ravel()], dtype=object).reshape(values.shape)
        else:
            tensor = values.astype(field.dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(f"column {field.name}", wanted=field.dtype, found=f"{values.dtype}: {error}") from error
    return (
        tensor
        if tensor.ndim == len(field.shape)
        else tensor.reshape(-1, 1)
        if len(field.shape) == 2
        else tensor.ravel()
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN is the one value unequal to itself
        return ""
    raise TypeError(f"{value!r} is not text")


def _answering(outputs: tuple[TensorFacts, ...]) -> str:
    floats = [output for output in outputs if output.dtype.startswith("float") and len(output.shape) in (0, 1, 2)]
    if not floats:
        found = ", ".join(f"{output.name}: {output.dtype}{list(output.shape)}" for output in outputs)
        raise InvalidInput("ONNX model", wanted="an output of one float a row", found=found)
    return floats[-1].name


def _per_row(answer: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if answer.ndim == 2 and answer.shape[1] in (1, 2):
        answer = answer[:, -1]
    if answer.ndim != 1:
        raise InvalidInput(
            "ONNX model", wanted="one number a row, or two probabilities", found=f"an answer of shape {answer.shape}"
        )
    return np.ascontiguousarray(answer, dtype=np.float64)


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise InvalidInput(
                f"ONNX model {path}", wanted=f"at most {max_bytes} bytes", found=f"{path.stat().st_size} bytes"
            )
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"ONNX model {path}", wanted="a file to read", found=error.strerror or str(error)) from error


def _probe(path: Path, max_bytes: int, timeout_s: float, memory_bytes: int) -> str:
    """The digest of the file a child process opened and ran on one row."""
    subject = f"ONNX model {path}"
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-m", "mainspring.engines.onnx._probe", str(path), str(max_bytes), str(memory_bytes)]
    try:
        ended = subprocess.run(
            command,
            env={**environment, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(
            subject, wanted=f"a model that opens within {timeout_s:g} s", found="one still opening"
        ) from error
    if ended.returncode != 0:
        limits = f"a model that opens in a process of at most {memory_bytes} bytes"
        raise InvalidInput(subject, wanted=limits, found=_cause(ended))
    answer = json.loads(ended.stdout)
    if "error" in answer:
        raise from_wire(answer["error"])
    return str(answer["facts"]["digest"])


def _cause(ended: subprocess.CompletedProcess[bytes]) -> str:
    if ended.returncode < 0:
        return f"a process ended by signal {-ended.returncode}"
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    return f"a process that failed: {lines[-1][:300]}" if lines else f"a process that ended with {ended.returncode}"


def probe(path: Path, max_bytes: int) -> dict[str, Any]:
    """What the child process says of the file: its facts, or the error that refuses it."""
    model = OnnxruntimeCpu().open(_read(path, max_bytes), max_bytes=max_bytes)
    model.predict({field.name: _one_row(field) for field in model.inputs})
    return {"facts": asdict(model.facts)}


def _one_row(field: TensorFacts) -> npt.NDArray[Any]:
    shape = (1, *(size or 1 for size in field.shape[1:]))
    return np.full(shape, "", dtype=object) if field.dtype == "string" else np.zeros(shape, dtype=field.dtype)
