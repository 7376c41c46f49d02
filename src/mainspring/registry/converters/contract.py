"""What a converter guarantees: a model of code becomes a model of data, or says why not.

- The ONNX model reads one tensor a feature, of shape (n, 1), named and ordered as the signature
  has them: text as string, everything else as float64. Missing is NaN, or "" in text.
- It has one output, "prediction", float64 of shape (n,): the value, or the positive's probability.
- It uses no operator domain but ONNX's own two.
- The model given is not changed. Whether both predict the same is measured afterwards, by
  `mainspring.registry.work`; a converter need not promise it.
- A model it accepts but cannot convert raises NotConvertible with a reason for a person.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from mainspring.kernel.errors import InvalidInput
from mainspring.training.definitions import Model
from mainspring.training.model import Signature

CONVERTERS = "mainspring.registry.converters"
OUTPUT = "prediction"


class NotConvertible(InvalidInput):
    """This model cannot be had as ONNX. `reason` says why."""

    code = "not_convertible"

    def __init__(
        self, subject: str, *, wanted: str = "a model that ONNX can express", found: str, fix: str = ""
    ) -> None:
        super().__init__(subject, wanted=wanted, found=found, fix=fix)

    @property
    def reason(self) -> str:
        return self.found


class Converter(ABC):
    """Converts one library's models. A plug-in's module holds one as `converter`."""

    @abstractmethod
    def accepts(self, model: Model) -> bool:
        """Whether this converter knows the library behind the model; cheap."""

    @abstractmethod
    def convert(self, model: Model, signature: Signature) -> bytes:
        """The model as ONNX. Raises NotConvertible."""
