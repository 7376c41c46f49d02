"""A project small enough to be killed fifty times: two columns, a line through them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LinearRegression

import mainspring as ms


def rows(folder: Path, number: int) -> ms.Dataset:
    """The dataset `killed` over a file of its own; each number has other rows."""
    file = folder / f"rows-{number}.csv"
    if not file.exists():
        values = np.random.default_rng(number).normal(size=(400, 2))
        lines = [f"{x:.6f},{3 * x + noise / 10:.6f}" for x, noise in values]
        beside = file.with_suffix(".new")
        beside.write_text("x,y\n" + "\n".join(lines) + "\n")
        beside.replace(file)
    return ms.dataset("killed", source=file, checks=[ms.not_null("y")])


@ms.step
def head(rows: pa.Table) -> pa.Table:
    return rows.slice(0, 300)


@ms.step
def tail(rows: pa.Table) -> pa.Table:
    return rows.slice(300)


@ms.step
def train(rows: pa.Table, seed: int) -> ms.Regressor:
    ms.log_params({"seed": seed})
    ms.log_metric("rows", rows.num_rows)
    return ms.Regressor.fit(LinearRegression(), rows, features=["x"], target="y")


@ms.step
def evaluate(model: ms.Regressor, rows: pa.Table) -> ms.Predictions:
    return ms.Predictions(rows["y"], model.predict(rows))


@ms.pipeline
def forecast(rows: ms.Dataset, seed: int) -> None:
    models = [train(head(rows), seed)]
    best = ms.best(models, [evaluate(models[0], tail(rows))], ms.metrics.mae)
    if ms.gate(best, "killed", margin=0.05):
        ms.register(best, "killed")
