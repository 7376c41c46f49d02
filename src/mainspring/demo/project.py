"""Hourly bike hire: from a file to a gated, registered model. `mainspring demo` runs this file."""

from typing import NamedTuple

import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingRegressor

import mainspring as ms

FEATURES = [
    "hr",
    "weekday",
    "workingday",
    "holiday",
    "mnth",
    "season",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
]

demand = ms.dataset(
    "bike_demand",
    source="hour.csv",
    time=ms.date("dteday") + ms.hours("hr"),
    drop=["casual", "registered", "instant"],
    checks=[
        ms.not_null("cnt"),
        ms.between("cnt", 0, 2000),
        ms.between("hr", 0, 23),
        ms.between("temp", 0, 1),
        ms.between("hum", 0, 1),
    ],
    description="Bikes hired an hour in Washington, D.C.",
)


class Split(NamedTuple):
    train: pa.Table
    test: pa.Table


@ms.step
def split_by_time(rows: pa.Table, test_share: float = 0.3) -> Split:
    """The last rows in time are held out: tomorrow is never in the training data."""
    rows = rows.sort_by("event_time")
    cut = int(rows.num_rows * (1 - test_share))
    return Split(rows.slice(0, cut), rows.slice(cut))


@ms.step(retries=1)
def train(rows: pa.Table, learning_rate: float = 0.1) -> ms.Regressor:
    learner = HistGradientBoostingRegressor(learning_rate=learning_rate, max_iter=150, random_state=0)
    return ms.Regressor.fit(learner, rows, features=FEATURES, target="cnt")


@ms.step
def evaluate(model: ms.Regressor, rows: pa.Table) -> ms.Predictions:
    """Errors of one day go together: days, not hours, are what the interval counts."""
    return ms.Predictions(rows["cnt"], model.predict(rows), blocks=rows["dteday"])


@ms.pipeline
def forecast(rows: ms.Dataset = demand, rates: list[float] = [0.03, 0.1, 0.3]) -> None:
    split = split_by_time(rows)
    models = train.partial(rows=split.train).map(learning_rate=rates)
    scores = evaluate.partial(rows=split.test).map(models)
    best = ms.best(models, scores, ms.metrics.mae)
    if ms.gate(best, "bike-demand", margin=0.05):
        ms.register(best, "bike-demand")
