"""A process that does the platform's work in children it forks, so that a test may kill them at any moment.

It imports everything and uses nothing, like the zygote, so that a child begins within milliseconds.
One JSON line in, one child; the child prints what it was told is done, and the worker prints its end.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import deltalake  # noqa: F401
import duckdb  # noqa: F401
import fastapi  # noqa: F401
import sklearn.linear_model  # noqa: F401

import mainspring.app.web
import mainspring.registry.service  # noqa: F401
from mainspring.data.client import apply, ingest
from mainspring.pipelines.client.run import run_pipeline
from mainspring.surfaces.client import Client, connect
from tests.app.kills import project


def work(client: Client, folder: Path, number: int) -> None:
    """Ingest, run, gate, register; say each thing only after the platform has said it."""
    definition = project.rows(folder, number)
    apply(client, [definition])
    say("dataset", ingest(client, definition)["version"]["id"])
    finished = run_pipeline(project.forecast, {"rows": definition, "seed": number}, client=client, compute="inline")
    say("run", finished.id)
    say("version", client.get("/registry/versions/killed@challenger")["id"])


def say(kind: str, id: str) -> None:
    # One write of one whole line: a killed child leaves a line or none.
    os.write(1, f"{json.dumps({'acknowledged': kind, 'id': id})}\n".encode())


def main() -> None:
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                with connect(asked["home"]) as client:
                    work(client, Path(asked["folder"]), asked["number"])
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 (the last frame of this process)
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
                os._exit(1)
        os.write(1, f"{json.dumps({'child': child})}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"{json.dumps({'ended': os.waitstatus_to_exitcode(status)})}\n".encode())


if __name__ == "__main__":
    main()
