"""Anything with `predict`, or that can be called, on a feature matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.training.flavors import _pickling
from mainspring.training.flavors.contract import Architecture, Flavor, class_name, installed


class PythonFunctionFlavor(Flavor):
    is_general = True

    def accepts(self, estimator: Any) -> bool:
        return callable(getattr(estimator, "predict", None)) or callable(estimator)

    def describe(self, estimator: Any) -> Architecture:
        own = type(estimator).__module__.partition(".")[0]
        return Architecture(class_name(estimator), {}, installed("numpy", "cloudpickle", own))

    def save(self, parts: Mapping[str, Any]) -> bytes:
        return _pickling.save(parts)

    def load(self, data: bytes) -> dict[str, Any]:
        return _pickling.load(data)


flavor = PythonFunctionFlavor()
