"""What runs in a process of its own: loading models of code, predicting, judging, converting.

Files come by path and results go back as plain values; nothing here holds a platform handle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.evaluation.definitions import Predictions, metrics
from mainspring.evaluation.model import Measure, Measurement, compare, measure, meets
from mainspring.kernel import plugins
from mainspring.kernel.canonical import plain
from mainspring.kernel.errors import InvalidInput
from mainspring.kernel.verdicts import Outcome, Verdict
from mainspring.registry.converters.contract import CONVERTERS, NotConvertible
from mainspring.registry.model import GateSettings
from mainspring.training.definitions import Model, feature_matrix
from mainspring.training.model import Card, unpack

ENOUGH_ROWS = 1000
"""Rows a comparison should have; with fewer the result says how many there were."""
MOST_ROWS = 20_000
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-5, 1e-6
"""Differences under these are rounding of float32, in which some operators compute."""
_WORST_FIRST: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")

Floats = npt.NDArray[np.float64]


def measured(predictions: Predictions, card: Card) -> list[Measurement]:
    """Every metric that is for the model's task and defined on these predictions."""
    task = "binary" if card.kind == "classifier" else "regression"
    found = []
    for reference in metrics:
        metric = reference.load()
        if task not in metric.tasks:
            continue
        try:
            found.append(measure(metric, predictions.target, predictions.prediction, blocks=predictions.blocks))
        except InvalidInput:  # such as the area under a curve where all rows are of one class
            continue
    return found


@dataclass(frozen=True)
class Opponent:
    """What a candidate is judged against: a champion's model file, or a constant.

    tables  files of rows, one of which is the holdout; only a champion needs it.
    """

    name: str
    model_path: Path | None
    constant: float | None
    tables: Mapping[str, Path]


def judge(candidate_path: Path, predictions_path: Path, opponent: Opponent, settings: GateSettings) -> dict[str, Any]:
    """The verdict on a candidate's predictions, what was measured, and the holdout's digest where one was used.

    Raises InvalidInput where a champion must predict and none of the tables is the holdout.
    """
    card, _ = unpack(candidate_path.read_bytes())
    predictions = Predictions.from_bytes(predictions_path.read_bytes())
    holdout: str | None = None
    if opponent.model_path is None:
        if opponent.constant is None:
            raise InvalidInput(
                "baseline", wanted="a champion, or a model that knows its training target", found="neither"
            )
        baseline = np.full(len(predictions), opponent.constant)
    else:
        holdout, rows = _holdout(opponent.tables, predictions, card)
        baseline = Model.from_bytes(opponent.model_path.read_bytes()).predict(rows)
    verdict = _verdict(metrics[settings.metric].load(), predictions, baseline, opponent.name, settings)
    return {
        "verdict": plain(verdict),
        "measurements": plain(measured(predictions, card)),
        "dataset_version_id": predictions.dataset_version_id,
        "holdout_digest": holdout,
    }


def _holdout(tables: Mapping[str, Path], predictions: Predictions, card: Card) -> tuple[str, pa.Table]:
    """The table whose target column is the predictions' target, row by row: nothing else may stand in."""
    for digest, path in tables.items():
        rows = _table(path)
        if rows is None or rows.num_rows != len(predictions) or card.target not in rows.column_names:
            continue
        if np.array_equal(_truth(rows, card), np.asarray(predictions.target, dtype=np.float64)):
            return digest, rows
    raise InvalidInput(
        "holdout",
        wanted=f"the {len(predictions)} rows that were predicted, with their target {card.target}",
        found=f"{len(tables)} tables near the predictions, none of them those rows",
        fix="Give it: `ms.gate(..., holdout=split.test)`.",
    )


def _truth(rows: pa.Table, card: Card) -> Floats:
    if card.positive is not None:
        return np.array([str(label) == card.positive for label in rows[card.target].to_pylist()], dtype=np.float64)
    return np.asarray(feature_matrix(rows, [card.target])[:, 0], dtype=np.float64)


def _verdict(
    metric: Measure, predictions: Predictions, baseline: Floats, opponent: str, settings: GateSettings
) -> Verdict:
    asked = {"blocks": predictions.blocks, "confidence": settings.confidence}
    found = compare(metric, predictions.target, predictions.prediction, baseline, margin=settings.margin, **asked)
    outcome, reason, evidence = found.outcome, found.reason, {**found.evidence, "against": opponent}
    if outcome == "inconclusive" and settings.tie == "pass":
        outcome, reason = "pass", f"{reason} A tie passes, as the gate was told."
    if settings.threshold is not None:
        bound = "at_least" if metric.greater_is_better else "at_most"
        limits: Any = {bound: settings.threshold}
        met = meets(metric, predictions.target, predictions.prediction, **limits, **asked)
        outcome = min(outcome, met.outcome, key=_WORST_FIRST.index)
        reason, evidence["threshold"] = f"{reason} {met.reason}", met.evidence
    return Verdict(f"{settings.metric} against {opponent}", outcome, reason, evidence)


def convert_and_compare(
    model_path: Path, tables: Sequence[Path], sample_input: Sequence[Mapping[str, Any]], out_path: Path
) -> dict[str, Any]:
    """Convert a model to ONNX at `out_path` and compare both on rows; what came of it, in JSON's types.

    tables   files of rows, nearest first: those that have the model's columns are compared on until
             there are enough rows; where none has them, `sample_input`.
    state    "equal" where every row agrees within tolerance; "differs"; or "not_convertible", with
             `reason`, where no converter can, or the result cannot be opened and run.
    """
    model = Model.from_bytes(model_path.read_bytes())
    signature = model.signature
    if signature is None:
        return _impossible("it was made without its training rows, so its signature is not known")
    try:
        data = _converter(model).convert(model, signature)
        out_path.write_bytes(data)
        onnx = plugins.load("mainspring.engines.onnx", "onnxruntime_cpu").open_engine(out_path.parent)
        opened = onnx.open_checked(out_path)
    except InvalidInput as error:
        out_path.unlink(missing_ok=True)
        return _impossible(error.reason if isinstance(error, NotConvertible) else error.message)
    rows = _rows(tables, signature.names)
    if rows is None:
        rows = pa.Table.from_pylist([dict(row) for row in sample_input])
    columns = {name: feature_matrix(rows, [name])[:, 0] for name in signature.names}
    compared = _compared(model.predict(rows), opened.predict(columns))
    return {**compared, "onnx_digest": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _compared(of_code: Floats, of_data: Floats) -> dict[str, Any]:
    is_same = (of_code == of_data) | (np.isnan(of_code) & np.isnan(of_data))
    with np.errstate(invalid="ignore"):
        off = np.where(is_same, 0.0, np.abs(of_code - of_data))
        is_different = ~is_same & ~(off <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * np.abs(of_code))
    facts = {
        "rows": len(off),
        "rows_wanted": ENOUGH_ROWS,
        "max_difference": float(off.max()),
        "share_different": float(is_different.mean()),
        "relative_tolerance": RELATIVE_TOLERANCE,
        "absolute_tolerance": ABSOLUTE_TOLERANCE,
    }
    return {"state": "differs" if is_different.any() else "equal", **facts}


def _converter(model: Model) -> Any:
    for name in plugins.names(CONVERTERS):
        converter = plugins.load(CONVERTERS, name).converter
        if converter.accepts(model):
            return converter
    kind = type(model.estimator)
    known = ", ".join(plugins.names(CONVERTERS))
    raise NotConvertible(f"model of {kind.__name__}", found=f"no converter for {kind.__module__} (there are: {known})")


def _rows(tables: Sequence[Path], columns: Sequence[str]) -> pa.Table | None:
    """Rows to compare on, from the nearest tables until there are enough, at most MOST_ROWS.

    None where no table has all the columns.
    """
    parts: list[pa.Table] = []
    for path in tables:
        rows = _table(path)
        if rows is None or not set(columns) <= set(rows.column_names):
            continue
        parts.append(rows.select(list(columns)))
        if sum(part.num_rows for part in parts) >= ENOUGH_ROWS:
            break
    if not any(part.num_rows for part in parts):
        return None
    return pa.concat_tables(parts, promote_options="permissive").slice(0, MOST_ROWS)


def _table(path: Path) -> pa.Table | None:
    """The rows of a Parquet file; None for any other file."""
    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError):
        return None


def _impossible(reason: str) -> dict[str, Any]:
    return {"state": "not_convertible", "reason": reason, "onnx_digest": None}
