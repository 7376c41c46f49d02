"""The worker process: controllers and jobs of one home, while `mainspring up` runs."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from mainspring.access.service import SYSTEM
from mainspring.app.build import opened
from mainspring.app.children import die_with
from mainspring.engines.home import Home
from mainspring.surfaces.controllers import Loop
from mainspring.surfaces.logs import log_to


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with(options.parent)
    home = Home(options.home)
    log_to(home.logs / "worker.jsonl")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with opened(home, lock=False) as application:
        engines = application.engines
        Loop(application.controllers(), engines.sql, engines.clocks.wall, SYSTEM).run(stop)


if __name__ == "__main__":
    main()
