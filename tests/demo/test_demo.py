"""The main job as `make demo` runs it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CLI = [sys.executable, "-m", "mainspring.app.cli"]


WATCH = """
import os, sys

def told(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with open(os.environ["SEEN_CONNECTIONS"], "a") as file:
            file.write(f"{event} {arguments[1:] if event != 'socket.getaddrinfo' else arguments}\\n")

sys.addaudithook(told)
"""
"""Loaded by every interpreter the demo starts: writes down whom it would talk to."""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The demo's folder and what two runs of it told."""
    place = tmp_path_factory.mktemp("demo")
    folder = place / "demo"
    (place / "sitecustomize.py").write_text(WATCH)
    watched = {**os.environ, "PYTHONPATH": str(place), "SEEN_CONNECTIONS": str(place / "connections")}
    told = []
    for _ in range(2):
        command = [*CLI, "demo", "--folder", str(folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=watched)
        told.append(json.loads(done.stdout))
    return folder, told


def test_two_months_become_a_gated_registered_compiled_model(twice: tuple[Path, list[dict[str, Any]]]) -> None:
    first = twice[1][0]
    assert first["version"] == "bike-demand:1"
    assert first["gate"]["verdict"]["outcome"] == "pass"
    assert first["gate"]["verdict"]["evidence"]["high"] < first["gate"]["verdict"]["evidence"]["margin"]
    assert first["conversion"]["state"] == "equal"
    assert first["conversion"]["facts"]["rows"] >= 1000
    assert first["steps_cached"] == 0
    assert first["audit_ok"] is True


def test_the_chain_leads_from_the_version_to_data_code_and_environment(
    twice: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, told = twice
    kinds = {node["kind"] for node in told[0]["why"]["nodes"]}
    assert {"model_version", "gate", "run", "step", "dataset_version", "definition", "environment", "source"} <= kinds
    source = hashlib.sha256((folder / "hour.csv").read_bytes()).hexdigest()
    assert source in {node["id"] for node in told[0]["why"]["nodes"]}


def test_a_second_run_is_all_cache_and_makes_nothing_new(twice: tuple[Path, list[dict[str, Any]]]) -> None:
    first, second = twice[1]
    assert second["steps_cached"] == second["steps_cacheable"] == 7
    assert second["version_id"] == first["version_id"]
    assert second["gate"]["id"] == first["gate"]["id"]


def test_nothing_is_asked_of_the_network(twice: tuple[Path, list[dict[str, Any]]]) -> None:
    place = twice[0].parent
    seen = (place / "connections").read_text().splitlines() if (place / "connections").exists() else []
    assert [line for line in seen if "127.0.0.1" not in line and "::1" not in line] == []


def test_the_watch_of_the_network_sees_a_connection(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    script = "import socket; s = socket.socket(); s.settimeout(0.01); s.connect_ex(('127.0.0.1', 9))"
    watched = {**os.environ, "PYTHONPATH": str(tmp_path), "SEEN_CONNECTIONS": str(tmp_path / "seen")}
    subprocess.run([sys.executable, "-c", script], check=True, env=watched)
    assert "socket.connect" in (tmp_path / "seen").read_text()


def test_a_person_is_told_the_story(twice: tuple[Path, list[dict[str, Any]]]) -> None:
    done = subprocess.run([*CLI, "demo", "--folder", str(twice[0])], capture_output=True, text=True, check=True)
    for words in ("bike-demand:1 (@challenger)", "pass: Mean absolute error", "equal:", "7 of 7 steps from the cache"):
        assert words in done.stdout
    assert "every event verified" in done.stdout
    assert "cached    train[2]" in done.stderr


def test_the_demo_keeps_to_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = subprocess.run([*CLI, "demo", "--folder", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 6
    assert "Say --folder" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
