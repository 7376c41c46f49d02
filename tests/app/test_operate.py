"""`apply`, `status` and `doctor` on a real project and a real home."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

CLI = [sys.executable, "-m", "mainspring.app.cli"]
PROJECT = """
import mainspring as ms

rows = ms.dataset("numbers", source="numbers.csv", checks=[ms.not_null("x")])

@ms.step
def double(x: int) -> int:
    return 2 * x

@ms.pipeline
def doubling(x: int = 1) -> None:
    double(x)
"""


def mainspring(folder: Path, *arguments: str) -> tuple[int, Any]:
    done = subprocess.run([*CLI, *arguments, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "numbers.csv").write_text("x,y\n" + "".join(f"{n},{n}\n" for n in range(50)))
    return tmp_path


def actions(told: list[dict[str, Any]]) -> dict[str, str]:
    return {change["name"]: change["action"] for change in told}


def test_apply_creates_then_changes_nothing_then_changes_what_changed(project: Path) -> None:
    assert actions(mainspring(project, "apply", "--plan")[1]) == {"numbers": "create", "doubling": "create"}
    assert mainspring(project, "data", "list")[1] == [], "a plan changes nothing"
    assert actions(mainspring(project, "apply")[1]) == {"numbers": "create", "doubling": "create"}
    again = actions(mainspring(project, "apply")[1])
    assert set(again.values()) == {"none"}
    (project / "project.py").write_text(PROJECT.replace('ms.not_null("x")', 'ms.not_null("y")'))
    changed = actions(mainspring(project, "apply")[1])
    assert changed["numbers"] == "change"
    assert changed["doubling"] == "none"


def test_apply_without_definitions_says_so(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text("x = 1\n")
    code, told = mainspring(tmp_path, "apply")
    assert code == 2
    assert "at least one dataset or pipeline" in told["error"]["wanted"]


def test_status_tells_what_is_there(project: Path) -> None:
    mainspring(project, "apply")
    assert mainspring(project, "status")[1]["datasets"] == ["numbers (empty)"]
    mainspring(project, "data", "ingest", "numbers")
    mainspring(project, "run", "doubling", "--compute", "inline")
    code, told = mainspring(project, "status")
    assert code == 0
    assert told["datasets"] == ["numbers@1"]
    assert told["runs"][0]["name"] == "doubling"
    assert told["server"].startswith("none")


def test_doctor_is_content_with_a_sound_home_and_names_what_is_wrong(project: Path) -> None:
    mainspring(project, "apply")
    code, told = mainspring(project, "doctor")
    assert code == 0, told
    assert {"database", "schema", "audit chain default"} <= {finding["check"] for finding in told}
    with closing(sqlite3.connect(project / ".mainspring" / "mainspring.db")) as raw, raw:
        raw.execute("UPDATE events SET kind = 'test.forged' WHERE project = 'default' AND seq = 1")
    (project / ".mainspring" / "keys" / "owner.token").chmod(0o644)
    code, told = mainspring(project, "doctor")
    bad = {finding["check"]: finding["found"] for finding in told if finding["state"] == "bad"}
    assert code == 1
    assert "edited" in bad["audit chain default"]
    assert bad["owner token"] == "readable by others"
