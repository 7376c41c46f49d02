"""mainspring: a model's whole life in one loop. `import mainspring as ms`.

Everything here is loaded on first use (PEP 562): importing the package costs milliseconds and
brings no heavy library along. The checks of `data/checks` are names here too (`ms.not_null`, …).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_EXPORTS = {
    "mainspring.data.definitions": (
        "Dataset",
        "dataset",
        "date",
        "days",
        "hours",
        "minutes",
        "seconds",
        "timestamp",
    ),
    "mainspring.data.client": ("load",),
    "mainspring.tracking.definitions": (
        "log_artifact",
        "log_metric",
        "log_metrics",
        "log_param",
        "log_params",
        "log_progress",
    ),
    "mainspring.tracking.client.runs": ("start_run",),
    "mainspring.pipelines.definitions": ("Candidate", "Resources", "pipeline", "step"),
    "mainspring.training.definitions": ("Classifier", "Regressor"),
    "mainspring.evaluation.definitions": ("Predictions", "best", "metrics"),
    "mainspring.registry.definitions": ("gate", "register"),
    "mainspring.registry.client": ("load_model",),
    "mainspring.surfaces.client": ("connect",),
}
_HOME_OF = {name: module for module, names in _EXPORTS.items() for name in names}
_CHECKS = "mainspring.data.definitions"

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOME_OF.get(name, _CHECKS))
    try:
        value = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from mainspring.kernel import plugins

    return sorted([*globals(), *_HOME_OF, *plugins.names("mainspring.data.checks")])


if TYPE_CHECKING:
    from mainspring.data.checks.between import between as between
    from mainspring.data.checks.not_null import not_null as not_null
    from mainspring.data.client import load as load
    from mainspring.data.definitions import Dataset as Dataset
    from mainspring.data.definitions import dataset as dataset
    from mainspring.data.definitions import date as date
    from mainspring.data.definitions import days as days
    from mainspring.data.definitions import hours as hours
    from mainspring.data.definitions import minutes as minutes
    from mainspring.data.definitions import seconds as seconds
    from mainspring.data.definitions import timestamp as timestamp
    from mainspring.evaluation.definitions import Predictions as Predictions
    from mainspring.evaluation.definitions import best as best
    from mainspring.evaluation.definitions import metrics as metrics
    from mainspring.pipelines.definitions import Candidate as Candidate
    from mainspring.pipelines.definitions import Resources as Resources
    from mainspring.pipelines.definitions import pipeline as pipeline
    from mainspring.pipelines.definitions import step as step
    from mainspring.registry.client import load_model as load_model
    from mainspring.registry.definitions import gate as gate
    from mainspring.registry.definitions import register as register
    from mainspring.surfaces.client import connect as connect
    from mainspring.tracking.client.runs import start_run as start_run
    from mainspring.tracking.definitions import log_artifact as log_artifact
    from mainspring.tracking.definitions import log_metric as log_metric
    from mainspring.tracking.definitions import log_metrics as log_metrics
    from mainspring.tracking.definitions import log_param as log_param
    from mainspring.tracking.definitions import log_params as log_params
    from mainspring.tracking.definitions import log_progress as log_progress
    from mainspring.training.definitions import Classifier as Classifier
    from mainspring.training.definitions import Regressor as Regressor
