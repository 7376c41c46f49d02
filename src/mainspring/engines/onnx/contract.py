"""What every engine that runs ONNX models guarantees.

A model is data: opening one runs no code of its author. So `inspect` refuses whatever would break
that, naming it: operator domains other than ONNX's own two, tensors kept in other files (anywhere,
also inside subgraphs, functions and attributes), files over the size limit, and bytes that are no
model. `open` inspects before the runtime sees a byte. `open_checked` lets a child process with a
time and a memory limit go first, so that a hostile file takes the child down and not the caller.

- A model is safe to share between threads and answers the same for the same rows, however batched.
- One thread per call by default: processes are the unit of scale, and a pool per model starves them.
- Only kernel errors leave: InvalidInput (the model), SchemaMismatch (the columns).
- Nothing is reported to anybody: telemetry is off.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Operator domains a model may use: those the standard itself defines for inference."""
MAX_BYTES = 256 * 1024 * 1024
TIMEOUT_S = 30.0
MEMORY_BYTES = 4 * 1024 * 1024 * 1024

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class TensorFacts:
    """A model's input or output: dtype as numpy names it, "string" for text; None for a free dimension."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class ModelFacts:
    """What a model file says of itself, found without running it."""

    digest: str
    size_bytes: int
    opsets: Mapping[str, int]
    operators: tuple[str, ...]
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


class OnnxModel(ABC):
    """An open model."""

    facts: ModelFacts

    @property
    def inputs(self) -> tuple[TensorFacts, ...]:
        return self.facts.inputs

    @abstractmethod
    def predict(self, rows: Columns | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """One number a row, shape (n,): the value, or the probability of the positive class.

        rows    columns by input name, each of shape (n,); columns the model does not ask for are
                left out. Or a matrix of shape (n, k) in the order of the inputs. A model with a
                single (n, k) input takes either, columns in the mapping's own order.
                NaN and None are missing; in text, missing is "".
        The answer is the model's only output, or its last one of floats, of shape (n,), (n, 1), or
        (n, 2), of which the second column is taken.
        Raises  SchemaMismatch for a missing column or one that is not of its type.
        """


class Onnx(ABC):
    """Inspects and opens models. See the module for what implementations guarantee."""

    @abstractmethod
    def inspect(self, data: bytes, *, max_bytes: int = MAX_BYTES) -> ModelFacts:
        """The facts of a model that may be opened. Raises InvalidInput, naming what forbids it."""

    @abstractmethod
    def open(self, data: bytes, *, max_bytes: int = MAX_BYTES) -> OnnxModel:
        """The model, ready to predict. Raises InvalidInput as `inspect` does, or where the runtime refuses."""

    @abstractmethod
    def open_checked(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> OnnxModel:
        """The model in a file nobody trusts yet: opened and run on one row in a child process first.

        Raises NotFound without the file, and InvalidInput where the child refused it, crashed, or
        needed more than `timeout_s` or `memory_bytes`.
        """
