"""Estimators as pickles, by cloudpickle: what the user wrote in a notebook goes along by value."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import cloudpickle

from mainspring.kernel.errors import Corrupt, InvalidInput


def save(parts: Mapping[str, Any]) -> bytes:
    try:
        data: bytes = cloudpickle.dumps(dict(parts), protocol=5)
    except Exception as error:
        raise InvalidInput(
            f"estimator {type(parts['estimator']).__name__}",
            wanted="one that can be stored",
            found=f"{type(error).__name__}: {error}",
            fix="Leave open files, connections and locks out of it.",
        ) from error
    return data


def load(data: bytes) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = pickle.loads(data)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise Corrupt("estimator", wanted="a pickle that loads", found=f"{type(error).__name__}: {error}") from error
    return parts
