"""What the user writes: a fitted estimator with the columns it reads.

    @ms.step
    def train(rows: pa.Table, learning_rate: float = 0.1) -> ms.Regressor:
        learner = HistGradientBoostingRegressor(learning_rate=learning_rate)
        return ms.Regressor.fit(learner, rows, features=("hr", "temp"), target="cnt")

Training needs no service and no event of its own: a training step is a step. What it read, with
which parameters, code and environment, its metrics and its logs are in the record of its run; a
step that fails emits no artifact, so nothing of it can be registered. The registry draws the
lineage from a version to that run when the version is registered.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.kernel import plugins
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import InvalidInput, MissingExtra, SchemaMismatch
from mainspring.training.model import Card, OutputKind, Signature, column_type, pack, signature_of, unpack

FLAVORS = "mainspring.training.flavors"
SAMPLE_ROWS = 3


@dataclass(frozen=True)
class Model(ABC):
    """A fitted estimator, the columns it reads, in order, and the column it predicts.

    estimator   anything a flavor accepts: an estimator with `predict`, or a plain callable, of a
                feature matrix (see `feature_matrix`).
    signature, sample_input, baseline
                filled in by `fit` and `described_by`; a model without them cannot be registered.
    """

    artifact_kind: ClassVar[str] = "model"
    kind: ClassVar[str]
    output: ClassVar[OutputKind]

    estimator: Any  # whatever the user trained
    features: tuple[str, ...]
    target: str
    signature: Signature | None = None
    sample_input: tuple[dict[str, Any], ...] = ()
    baseline: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.features, str) or not self.features:
            raise InvalidInput("features", wanted="the names of one or more columns", found=repr(self.features))
        object.__setattr__(self, "features", tuple(self.features))

    def predict(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        """One number a row, shape (n,): the value, or the probability of the positive class.

        Raises SchemaMismatch for a missing or unusable column, InvalidInput where the estimator
        answers anything but one number a row.
        """
        matrix = feature_matrix(rows, self.features)
        answer = self._answer(matrix) if len(matrix) else np.empty(0)
        answer = np.asarray(answer, dtype=np.float64)
        if answer.shape not in ((len(matrix),), (len(matrix), 1)):
            raise InvalidInput(
                f"predictions of {type(self.estimator).__name__}",
                wanted=f"{len(matrix)} numbers",
                found=f"shape {answer.shape}",
            )
        return np.ascontiguousarray(answer.ravel())

    def described_by(self, rows: pa.Table) -> Self:
        """This model with signature, sample input and baseline taken from its training rows."""
        signature = signature_of(rows, self.features, self.output)
        sample = tuple(plain(row) for row in rows.select(list(self.features)).slice(0, SAMPLE_ROWS).to_pylist())
        return replace(self, signature=signature, sample_input=sample, baseline=float(self.truth(rows).mean()))

    def card(self) -> Card:
        """What the model's file says of it."""
        flavor = _flavor_of(self.estimator)
        return Card(
            kind=self.kind,
            flavor=flavor,
            features=self.features,
            target=self.target,
            positive=self._positive_label(),
            estimator=asdict(plugins.load(FLAVORS, flavor).flavor.describe(self.estimator)),
            signature=self.signature,
            sample_input=self.sample_input,
            baseline=self.baseline,
        )

    def describe(self) -> dict[str, Any]:
        """The card in JSON's types: the architecture in words and numbers."""
        described: dict[str, Any] = plain(self.card().to_json())
        return described

    def to_bytes(self) -> bytes:
        """The model as a file. Raises InvalidInput where the estimator cannot be stored."""
        card = self.card()
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _ON_CARD}
        return pack(card, plugins.load(FLAVORS, card.flavor).flavor.save(own))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model in a file. This runs what its author packed: in your own process, or an isolated one.

        Raises Corrupt for anything but a model file, MissingExtra without the library behind it.
        """
        card, body = unpack(data)
        kind = _KINDS[card.kind]
        if not issubclass(kind, cls):
            raise InvalidInput("model file", wanted=cls.__name__, found=kind.__name__)
        try:
            own = plugins.load(FLAVORS, card.flavor).flavor.load(body)
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"model of {card.estimator.get('class_name')}",
                wanted=f"the library {error.name}",
                found="none installed",
                fix="Install what the model was trained with: " + _versions(card),
            ) from error
        return kind(
            **own,
            features=card.features,
            target=card.target,
            signature=card.signature,
            sample_input=tuple(dict(row) for row in card.sample_input),
            baseline=card.baseline,
        )

    def _answer(self, matrix: npt.NDArray[Any]) -> Any:
        predict = getattr(self.estimator, "predict", self.estimator)
        return predict(matrix)

    @abstractmethod
    def truth(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        """The target as this model predicts it, shape (n,): the value, or 1 for the positive label and 0 for others.

        Raises SchemaMismatch, InvalidInput.
        """

    def _positive_label(self) -> str | None:
        return None


_ON_CARD = ("features", "target", "signature", "sample_input", "baseline")


@dataclass(frozen=True)
class Regressor(Model):
    """A model that predicts a number."""

    kind: ClassVar[str] = "regressor"
    output: ClassVar[OutputKind] = "value"

    @classmethod
    def fit(cls, estimator: Any, rows: pa.Table, features: Sequence[str], target: str) -> Self:
        """The model after fitting a copy of `estimator` (scikit-learn's way) to the features and target of `rows`."""
        model = cls(copy.deepcopy(estimator), tuple(features), target)
        model.estimator.fit(feature_matrix(rows, model.features), model.truth(rows))
        return model.described_by(rows)

    def truth(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        if column_type(rows, self.target) == "string":
            raise SchemaMismatch(
                f"target {self.target}", wanted="numbers", found="text", fix="Use Classifier for labels."
            )
        return _numbers(_complete(rows, self.target))


@dataclass(frozen=True)
class Classifier(Model):
    """A model that predicts the probability that the target equals `positive`."""

    kind: ClassVar[str] = "classifier"
    output: ClassVar[OutputKind] = "probability"

    positive: Any = 1  # a label: text, number or boolean

    @classmethod
    def fit(cls, estimator: Any, rows: pa.Table, features: Sequence[str], target: str, positive: Any = 1) -> Self:
        """The model after fitting a copy of `estimator` (scikit-learn's way) to the features and labels of `rows`."""
        model = cls(copy.deepcopy(estimator), tuple(features), target, positive=positive)
        labels = _complete(rows, target)
        if positive not in (found := labels.unique().to_pylist()):
            raise InvalidInput(f"target {target}", wanted=f"rows labelled {positive!r}", found=f"labels {found[:10]}")
        model.estimator.fit(feature_matrix(rows, model.features), labels.to_numpy())
        return model.described_by(rows)

    def _answer(self, matrix: npt.NDArray[Any]) -> Any:
        if not hasattr(self.estimator, "predict_proba"):
            return super()._answer(matrix)
        classes = list(getattr(self.estimator, "classes_", ()))
        if self.positive not in classes:
            raise InvalidInput("classifier", wanted=f"a class {self.positive!r}", found=f"classes {classes[:10]}")
        return self.estimator.predict_proba(matrix)[:, classes.index(self.positive)]

    def truth(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        labels = _complete(rows, self.target)
        return np.array([label == self.positive for label in labels.to_pylist()], dtype=np.float64)

    def _positive_label(self) -> str | None:
        return str(self.positive)


_KINDS: dict[str, type[Model]] = {kind.kind: kind for kind in (Regressor, Classifier)}


def feature_matrix(rows: pa.Table, features: Sequence[str]) -> npt.NDArray[Any]:
    """The columns `features` of `rows`, in order, as estimators want them, shape (n, k).

    Numbers and booleans only: float64, null is NaN. With any text column: objects, numbers as
    floats, text as str, and NaN for null in both, as pandas has it and scikit-learn's imputers and
    encoders expect it. Raises SchemaMismatch for a missing column, or one of
    dates, times, lists or structures.
    """
    has_text = [column_type(rows, name) == "string" for name in features]
    matrix = np.empty((rows.num_rows, len(features)), dtype=object if any(has_text) else np.float64)
    for at, name in enumerate(features):
        matrix[:, at] = _texts(rows[name]) if has_text[at] else _numbers(rows[name])
    return matrix


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    # Not safe: integers past 2^53 lose their last digits, as in every estimator on float64.
    numbers: npt.NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    texts: npt.NDArray[np.object_] = np.array(column.to_pylist(), dtype=object)
    texts[texts == None] = np.nan  # noqa: E711 - elementwise
    return texts


def _complete(rows: pa.Table, target: str) -> pa.ChunkedArray:
    column_type(rows, target)
    column = rows[target]
    if column.null_count or not len(column):
        found = f"{column.null_count} nulls among {len(column)} rows"
        raise InvalidInput(f"target {target}", wanted="rows, each with a value", found=found)
    return column


def _flavor_of(estimator: Any) -> str:
    """The name of the one flavor that takes `estimator`, the most specific first."""
    flavors = {name: plugins.load(FLAVORS, name).flavor for name in plugins.names(FLAVORS)}
    for name in sorted(flavors, key=lambda name: (flavors[name].is_general, name)):
        if flavors[name].accepts(estimator):
            return name
    raise InvalidInput(
        f"estimator {type(estimator).__name__}",
        wanted="one of the flavors " + ", ".join(flavors),
        found="an object with neither predict nor a call",
    )


def _versions(card: Card) -> str:
    return ", ".join(f"{name} {version}" for name, version in card.estimator.get("libraries", {}).items())
