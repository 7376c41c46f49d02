"""`mainspring up` as a person runs it: real processes, real ports, real signals."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from mainspring.surfaces.client import connect

BIN = [sys.executable, "-m", "mainspring.app.cli"]


@contextmanager
def up(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    server = subprocess.Popen(
        [*BIN, "up", "--home", str(home), "--port", "0", "--gateway-port", "0", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout
        assert server.stderr
        line = server.stdout.readline()
        assert line, server.stderr.read()
        yield server, json.loads(line)
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def family(server: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(server.pid).children(recursive=True)


def named(server: subprocess.Popen[str], module: str) -> psutil.Process | None:
    for process in family(server):
        # A process that has just died has no command line.
        with suppress(psutil.NoSuchProcess):
            if f"mainspring.app.{module}" in " ".join(process.cmdline()):
                return process
    return None


def until(true: Any, wait_s: float = 15.0) -> None:
    give_up = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


def test_a_server_answers_is_found_by_its_home_and_leaves_no_process(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (server, told):
        assert httpx.get(f"{told['url']}/health").json()["status"] == "ok"
        assert httpx.get(f"{told['gateway_url']}/v2/health/ready").json() == {"ready": True}
        with connect(tmp_path / "home") as client:
            assert not client.in_process
            assert client.get("/access/me")["role"] == "owner"
        processes = family(server)
        assert len(processes) >= 3
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert not any(process.is_running() for process in processes)
    with connect(tmp_path / "home") as client:
        assert client.in_process
        assert all(report["fault"] is None for report in client.post("/audit/verify"))


def test_a_second_server_on_the_home_is_refused_by_name(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (_, told):
        second = subprocess.run(
            [*BIN, "up", "--home", str(tmp_path / "home"), "--port", "0", "--gateway-port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 6
        assert told["url"] in second.stderr
        assert "Traceback" not in second.stderr
        assert httpx.get(f"{told['url']}/health").status_code == 200


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (_, told):
        port = told["url"].rpartition(":")[2]
        second = subprocess.run(
            [*BIN, "up", "--home", str(tmp_path / "other"), "--port", port, "--gateway-port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 6
    assert f"port {port}" in second.stderr


@pytest.mark.parametrize("module", ["control_plane", "worker", "gateway"])
def test_a_killed_process_is_started_again_and_callers_wait_instead_of_being_refused(
    tmp_path: Path, module: str
) -> None:
    with up(tmp_path / "home") as (server, told):
        victim = named(server, module)
        assert victim
        victim.send_signal(signal.SIGKILL)
        assert httpx.get(f"{told['url']}/health", timeout=20).status_code == 200
        assert httpx.get(f"{told['gateway_url']}/v2/health/live", timeout=20).status_code == 200
        until(lambda: (p := named(server, module)) is not None and p.pid != victim.pid)


def test_a_supervisor_killed_by_force_leaves_no_process_and_the_home_free(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (server, _):
        processes = family(server)
        server.send_signal(signal.SIGKILL)
        server.wait()
        until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes))
    with up(tmp_path / "home") as (_, told):
        assert httpx.get(f"{told['url']}/health").status_code == 200


def test_a_second_ctrl_c_kills_what_does_not_end(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (server, _):
        processes = family(server)
        worker = named(server, "worker")
        assert worker
        os.kill(worker.pid, signal.SIGSTOP)
        server.send_signal(signal.SIGINT)
        time.sleep(0.3)
        server.send_signal(signal.SIGINT)
        began = time.monotonic()
        server.wait(30)
        assert time.monotonic() - began < 8, "it did not wait for the patience of the first"
        until(lambda: not any(p.is_running() for p in processes))


def test_the_log_of_a_service_is_json_and_found_by_name(tmp_path: Path) -> None:
    with up(tmp_path / "home") as (_, told):
        httpx.get(f"{told['url']}/api/v1/access/me", headers={"x-request-id": "find-me"})
        done = subprocess.run(
            [*BIN, "logs", "control-plane", "--home", str(tmp_path / "home")],
            capture_output=True,
            text=True,
            check=True,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (found,) = [line for line in lines if line.get("request_id") == "find-me"]
    assert (found["status"], found["method"], found["principal_id"]) == (401, "GET", None)


def test_a_request_runs_over_the_wire_as_it_does_in_process(tmp_path: Path) -> None:
    with connect(tmp_path / "home") as client:
        before = client.post("/tracking/runs", {"name": "in process"})
    with up(tmp_path / "home"), connect(tmp_path / "home") as client:
        after = client.post("/tracking/runs", {"name": "over the wire"})
        assert {run["id"] for run in client.get("/tracking/runs")} == {before["id"], after["id"]}


def test_a_database_from_the_future_stops_the_start_and_says_why(tmp_path: Path) -> None:
    with connect(tmp_path / "home"):
        pass
    with closing(sqlite3.connect(tmp_path / "home" / "mainspring.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    refused = subprocess.run(
        [*BIN, "up", "--home", str(tmp_path / "home"), "--port", "0", "--gateway-port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 6
    assert "made by a newer mainspring" in refused.stderr
    assert "Traceback" not in refused.stderr
