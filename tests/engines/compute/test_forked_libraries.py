"""Libraries that break a forked child once they were used: used here first, then in tasks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.engines.compute import processes
from tests.engines.compute import steps

polars = pytest.importorskip("polars", reason="polars is not installed: its fork safety is not tested")

TIMEOUT_S = 60.0


def with_polars(folder: Path) -> int:
    import polars

    frame = polars.DataFrame({"key": [n % 7 for n in range(200_000)], "value": range(200_000)})
    return frame.lazy().group_by("key").agg(polars.col("value").sum()).collect().height


def with_boosting(folder: Path) -> int:
    import numpy
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = numpy.random.default_rng(1).normal(size=(20_000, 4))
    model = HistGradientBoostingRegressor(max_iter=5).fit(rows, rows.sum(axis=1))
    return int(model.predict(rows[:7]).shape[0])


def with_delta(folder: Path) -> int:
    import pyarrow
    from deltalake import DeltaTable, write_deltalake

    place = folder / f"delta-{os.getpid()}"
    write_deltalake(place, pyarrow.table({"value": range(7)}))
    return int(DeltaTable(place).to_pyarrow_table().num_rows)


def with_duckdb(folder: Path) -> int:
    import duckdb

    with duckdb.connect(config={"threads": 2}) as connection:
        [(groups,)] = connection.execute(
            "select count(*) from (select n % 7 as g, sum(n) from range(1000000) t(n) group by g)"
        ).fetchall()
    return int(groups)


def with_all(folder: Path) -> int:
    return min(use(folder) for use in (with_polars, with_boosting, with_delta, with_duckdb))


USES = (with_polars, with_boosting, with_delta, with_duckdb, with_all)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """One that has preloaded everything, opened after the driver has used everything."""
    folder = tmp_path_factory.mktemp("driver")
    assert with_all(folder) == 7
    with processes.open_engine(folder, capacity_cpu=2) as opened:
        opened.warm()
        yield opened


@pytest.mark.parametrize("cpu", [1, 2])
def test_tasks_use_what_the_driver_has_used(engine, task, tmp_path, cpu):
    handles = [engine.submit(task(use, folder=tmp_path, _cpu=cpu, _timeout_s=TIMEOUT_S)) for use in USES]

    results = [handle.result(5 * TIMEOUT_S) for handle in handles]

    assert [(result.outcome, result.value, result.error) for result in results] == [("succeeded", 7, None)] * len(USES)


def test_the_zygote_has_one_thread_after_all_its_imports(engine, task):
    zygote = engine.submit(task(steps.parent)).result(TIMEOUT_S).value

    threads = [Path(f"/proc/{zygote}/task/{thread}/comm").read_text() for thread in os.listdir(f"/proc/{zygote}/task")]
    assert len(threads) == 1, threads


@pytest.mark.parametrize("cpu", [1, 2])
def test_libraries_use_as_many_threads_as_the_task_has_cpu(engine, task, cpu):
    pools = engine.submit(task(steps.library_threads, _cpu=cpu)).result(TIMEOUT_S).value

    assert {kind for kind, _threads in pools} == {"openblas", "openmp"}
    assert {threads for _kind, threads in pools} == {cpu}
