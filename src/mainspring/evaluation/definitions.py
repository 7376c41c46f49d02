"""What the user writes: metrics by name, the predictions of an evaluation step, the best of several.

    @ms.step
    def evaluate(model: ms.Regressor, rows: pa.Table) -> ms.Predictions:
        return ms.Predictions(rows["cnt"], model.predict(rows), blocks=rows["dteday"])

    best = ms.best(models, evaluate.partial(rows=split.test).map(models), ms.metrics.mae)

Arrays are imported where they are touched: every `import mainspring` can name this module, and
only code that has predictions pays for NumPy and Arrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mainspring.kernel import plugins
from mainspring.kernel.canonical import canonical
from mainspring.kernel.errors import Corrupt, InvalidInput, MainspringError, NotFound
from mainspring.pipelines.definitions import choose

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from mainspring.evaluation.model import Measure

KIND = "mainspring.evaluation.metrics"
_METADATA = b"mainspring.predictions"


@dataclass(frozen=True)
class MetricRef:
    """A metric by its name; call it to get its value.

    >>> metrics.mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """

    name: str

    def load(self) -> Measure:
        """The metric itself. Raises NotFound, naming those there are."""
        found: Measure = plugins.load(KIND, self.name).metric
        return found

    def __call__(self, target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        return self.load().value(target, prediction, weight)


class Metrics:
    """Every metric there is, by attribute: `ms.metrics.mae`. Iterating gives them all."""

    def __getattr__(self, name: str) -> MetricRef:
        if name.startswith("_") or name not in plugins.names(KIND):
            raise AttributeError(f"no metric {name!r}: there are {', '.join(plugins.names(KIND))}")
        return MetricRef(name)

    def __getitem__(self, name: str) -> MetricRef:
        """The metric of that name, for names that come as text. Raises NotFound."""
        if name not in plugins.names(KIND):
            raise NotFound(f"metric {name!r}", wanted="one of " + ", ".join(plugins.names(KIND)), found=repr(name))
        return MetricRef(name)

    def __iter__(self) -> Iterator[MetricRef]:
        return map(MetricRef, plugins.names(KIND))

    def __dir__(self) -> list[str]:
        return list(plugins.names(KIND))

    def __repr__(self) -> str:
        return f"<metrics {', '.join(plugins.names(KIND))}>"


metrics = Metrics()


@dataclass(frozen=True, eq=False)
class Predictions:
    """The truth and what a model said of it, row by row: what an evaluation step returns.

    target, prediction   shape (n,): arrays, Arrow or frame columns, lists. For a classifier the target
                         is 0 or 1 and the prediction the probability of 1.
    blocks               shape (n,): rows that are alike share an id, such as the day or the customer;
                         intervals and gates treat only blocks as independent. None: every row is.
    dataset_version_id   the version of the data set that the rows come from, where known.

    After construction the columns are NumPy arrays. Raises InvalidInput for columns of unequal length
    or another shape; what values a metric accepts it says itself.
    """

    artifact_kind: ClassVar[str] = "predictions"

    # Any: whatever becomes an array comes in, of libraries without types too; a NumPy array it is then.
    target: Any
    prediction: Any
    blocks: Any = None
    dataset_version_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", _column("target", self.target, None))
        object.__setattr__(self, "prediction", _column("prediction", self.prediction, len(self.target)))
        if self.blocks is not None:
            object.__setattr__(self, "blocks", _column("blocks", self.blocks, len(self.target)))

    def __len__(self) -> int:
        return len(self.target)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Predictions) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def describe(self) -> dict[str, Any]:
        """Rows, blocks (None: each row) and origin, for people and the artifact's record."""
        import numpy as np

        blocks = None if self.blocks is None else int(np.unique(self.blocks).size)
        return {"rows": len(self), "blocks": blocks, "dataset_version_id": self.dataset_version_id}

    def to_table(self) -> pa.Table:
        """An Arrow table of the columns target, prediction and, where there are blocks, block."""
        import pyarrow as pa

        columns = {"target": self.target, "prediction": self.prediction, "block": self.blocks}
        try:
            table = pa.table({name: pa.array(column) for name, column in columns.items() if column is not None})
        except pa.ArrowException as error:
            raise InvalidInput("predictions", wanted="columns of one type each", found=str(error)) from error
        return table.replace_schema_metadata({_METADATA: canonical({"dataset_version_id": self.dataset_version_id})})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """The predictions that `to_table` gave; other columns are left aside. Raises InvalidInput."""
        missing = {"target", "prediction"} - set(table.column_names)
        if missing:
            found = ", ".join(table.column_names) or "none"
            raise InvalidInput("table of predictions", wanted="columns target and prediction", found=found)
        described = json.loads((table.schema.metadata or {}).get(_METADATA, b"{}"))
        blocks = table["block"] if "block" in table.column_names else None
        return cls(table["target"], table["prediction"], blocks, described.get("dataset_version_id"))

    def to_bytes(self) -> bytes:
        """The table as an Arrow IPC stream; equal predictions give equal bytes."""
        import pyarrow as pa

        sink, table = pa.BufferOutputStream(), self.to_table()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data: bytes = sink.getvalue().to_pybytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The predictions that `to_bytes` gave. Raises Corrupt."""
        import pyarrow as pa

        try:
            return cls.from_table(pa.ipc.open_stream(data).read_all())
        except (pa.ArrowException, OSError, ValueError, MainspringError) as error:
            raise Corrupt("predictions", wanted="an Arrow stream of predictions", found=str(error)) from error


def best(models: Sequence[Any], predictions: Sequence[Any], metric: MetricRef) -> Any:
    """The candidate with the best metric: a handle with the outputs `model` and `predictions`.

    models, predictions   handles (of `.map()`, say) in the same order. Predictions must be of the same
                          rows, or the metric compares nothing. Of equal ones the first wins.
    Raises InvalidInput outside a pipeline or where the lists differ in length.
    """
    if not isinstance(metric, MetricRef):
        raise InvalidInput("metric", wanted="a metric such as ms.metrics.mae", found=repr(metric))
    chosen = metric.load()

    def score(found: Any) -> float:
        if not isinstance(found, Predictions):
            fix = "Let the evaluation step return ms.Predictions."
            raise InvalidInput("predictions", wanted="ms.Predictions", found=type(found).__name__, fix=fix)
        return chosen.value(found.target, found.prediction)

    return choose(
        "best",
        {"model": models, "predictions": predictions},
        by="predictions",
        score=score,
        prefer="greatest" if chosen.greater_is_better else "least",
    )


def _column(name: str, values: Any, rows: int | None) -> NDArray[np.generic]:
    import numpy as np

    try:
        column = np.asarray(values)
    except ValueError as error:
        raise InvalidInput(name, wanted="an array of shape (n,)", found="rows of unequal length") from error
    if column.ndim != 1:
        fix = "For a classifier give the probability of the class 1 alone." if column.ndim == 2 else ""
        raise InvalidInput(name, wanted="an array of shape (n,)", found=f"shape {column.shape}", fix=fix)
    if rows is not None and len(column) != rows:
        raise InvalidInput(name, wanted=f"{rows} rows, as many as target", found=f"{len(column)} rows")
    return column
