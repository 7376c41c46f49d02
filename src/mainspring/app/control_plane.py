"""The control plane process: the web application on a socket it inherits from `mainspring up`."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import uvicorn

from mainspring.app.build import make_ready, opened
from mainspring.app.children import die_with, refuse
from mainspring.engines.home import Home
from mainspring.kernel.errors import MainspringError
from mainspring.surfaces.logs import log_to


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with(options.parent)
    home = Home(options.home)
    log_to(home.logs / "control-plane.jsonl")
    try:
        make_ready(home)
    except MainspringError as error:
        refuse(home, error)
    with opened(home, lock=False) as application:
        config = uvicorn.Config(
            application.asgi,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[socket.socket(fileno=options.fd)])


if __name__ == "__main__":
    main()
