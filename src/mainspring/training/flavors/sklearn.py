"""scikit-learn's estimators, and those of libraries that build on its base class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.training.flavors import _pickling
from mainspring.training.flavors.contract import Architecture, Flavor, class_name, installed


class SklearnFlavor(Flavor):
    def accepts(self, estimator: Any) -> bool:
        return any(base.__module__ == "sklearn.base" for base in type(estimator).__mro__)

    def describe(self, estimator: Any) -> Architecture:
        params = {name: _spoken(value) for name, value in sorted(estimator.get_params(deep=True).items())}
        own = type(estimator).__module__.partition(".")[0]
        return Architecture(class_name(estimator), params, installed("scikit-learn", "numpy", "scipy", own))

    def save(self, parts: Mapping[str, Any]) -> bytes:
        return _pickling.save(parts)

    def load(self, data: bytes) -> dict[str, Any]:
        return _pickling.load(data)


def _spoken(value: Any) -> Any:
    """A parameter in JSON's types; other objects by their class, since their text may hold data or addresses."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_spoken(item) for item in value]
    return class_name(value)


flavor = SklearnFlavor()
