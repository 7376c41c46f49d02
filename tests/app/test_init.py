"""`mainspring init` on files of many kinds, and the project it makes, run untouched."""

from __future__ import annotations

import ast
import csv
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CLI = [sys.executable, "-m", "mainspring.app.cli"]


def mainspring(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, the JSON document, standard error) of a command run in `folder`."""
    done = subprocess.run([*CLI, *arguments, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1:] or ["{}"]
    return done.returncode, json.loads(last[0]), done.stderr


def write(file: Path, columns: Mapping[str, list[Any]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return file


def numbers(count: int, seed: int = 0) -> list[float]:
    chance = random.Random(seed)
    return [round(chance.uniform(0, 10), 4) for _ in range(count)]


def days(count: int) -> list[str]:
    from datetime import date, timedelta

    return [str(date(2026, 1, 1) + timedelta(days=number // 4)) for number in range(count)]


def test_a_number_over_time_becomes_a_regression(tmp_path: Path) -> None:
    x = numbers(300)
    file = write(
        tmp_path / "my sales.csv", {"when": days(300), "x": x, "id": list(range(300)), "y": [3 * v for v in x]}
    )
    code, told, _ = mainspring(tmp_path, "init", "--data", str(file), "--target", "y", "--time", "when")
    assert (code, told["features"]) == (0, ["x"])
    assert set(told["left_out"]) == {"when", "id"}
    place = tmp_path / "my_sales"
    code, run, errors = mainspring(place, "run", "my_sales", "--compute", "inline")
    assert code == 0, errors
    assert run["run"]["status"] == "succeeded"
    code, version, _ = mainspring(place, "model", "show", "my-sales@challenger")
    assert version["gate_id"]
    assert version["conversion"]["state"] == "equal", "nothing is left pending where no server would do it"
    assert version["profile"]["metrics"]["mae"] < 2.0


def test_labels_and_names_that_need_care_become_a_classification(tmp_path: Path) -> None:
    x = numbers(400)
    columns: dict[str, list[Any]] = {
        "select": x,
        'a "quoted" name': [["north", "süd", ""][i % 3] for i in range(400)],
        "naïve, and more": [i % 2 == 0 for i in range(400)],
        "bought": ["yes" if v > 7 else "no" for v in x],
    }
    file = write(tmp_path / "odd.csv", columns)
    code, told, errors = mainspring(tmp_path, "init", "--data", str(file), "--target", "bought")
    assert code == 0, errors
    assert told["predicts"] == "bought (the chance of 'yes')"
    ast.parse((tmp_path / "odd" / "project.py").read_text())
    code, _, errors = mainspring(tmp_path / "odd", "run", "odd", "--compute", "inline")
    assert code == 0, errors
    _, version, _ = mainspring(tmp_path / "odd", "model", "show", "odd@challenger")
    assert version["profile"]["metrics"]["auc_roc"] > 0.95


def test_the_log_of_a_run_and_of_a_step_is_found_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(TALKING)
    mainspring(tmp_path, "run", "talking", "--compute", "inline")
    _, runs, _ = mainspring(tmp_path, "pipeline", "runs")
    run_id = runs[0]["id"]  # type: ignore[index]
    code, told, _ = mainspring(tmp_path, "logs", run_id)
    assert code == 0
    assert "hello from the step" in json.dumps(told)
    _, detail, _ = mainspring(tmp_path, "pipeline", "steps", run_id)
    steps = {step["label"]: step["id"] for step in detail["steps"]}
    assert "hello from the step" in json.dumps(mainspring(tmp_path, "logs", steps["talk"])[1])
    assert "it printed nothing" in json.dumps(mainspring(tmp_path, "logs", steps["hush"])[1])
    assert mainspring(tmp_path, "logs", "no-such-thing")[0] == 3


TALKING = """
import mainspring as ms

@ms.step
def talk(x: int) -> int:
    print("hello from the step")
    return x

@ms.step
def hush(x: int) -> int:
    return x

@ms.pipeline
def talking(x: int = 1) -> None:
    hush(talk(x))
"""


def test_a_second_run_is_all_cache(tmp_path: Path) -> None:
    x = numbers(200)
    file = write(tmp_path / "again.csv", {"x": x, "y": [v * 2 for v in x]})
    mainspring(tmp_path, "init", "--data", str(file), "--target", "y")
    runs = [mainspring(tmp_path / "again", "run", "again", "--compute", "inline")[1] for _ in range(2)]
    statuses = [[step["status"] for step in run["steps"] if step["kind"] == "step"] for run in runs]
    assert set(statuses[0]) == {"succeeded"}
    assert set(statuses[1]) == {"cached"}
    _, models, _ = mainspring(tmp_path / "again", "model", "list")
    assert len(models) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "none.csv", "--target", "y"], "nothing of that name"),
        (["--data", "good.csv", "--target", "z"], "column 'z'"),
        (["--data", "good.csv", "--target", "name"], "labels"),
        (["--data", "good.csv", "--target", "flat"], "at least two values"),
        (["--data", "good.csv", "--target", "y", "--time", "name"], "wanted a time"),
        (["--data", "short.csv", "--target", "y"], "at least 40 good rows"),
        (["--data", "empty.csv", "--target", "y"], "empty.csv"),
        (["--data", "binary.csv", "--target", "y"], "binary.csv"),
    ],
)
def test_a_file_that_will_not_do_leaves_no_project(tmp_path: Path, arguments: list[str], told: str) -> None:
    x = numbers(60)
    write(tmp_path / "good.csv", {"x": x, "y": x, "name": [f"n{i}" for i in range(60)], "flat": [1] * 60})
    write(tmp_path / "short.csv", {"x": x[:5], "y": x[:5]})
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 20)
    before = sorted(tmp_path.iterdir())
    code, answer, errors = mainspring(tmp_path, "init", *arguments)
    assert code in (2, 3)
    assert told in json.dumps(answer["error"], ensure_ascii=False)
    assert "Traceback" not in errors
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_with_files_is_not_touched(tmp_path: Path) -> None:
    x = numbers(60)
    write(tmp_path / "mine.csv", {"x": x, "y": x})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, _, _ = mainspring(tmp_path, "init", "--data", "mine.csv", "--target", "y")
    assert code == 6
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
