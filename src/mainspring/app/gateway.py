"""The serving gateway's process. No stage delivers models to it yet, and it says so.

It answers the health routes of the Open Inference Protocol v2, which are open to everybody, and
refuses every other path: there is no serving plan, and so no model and no token to check.
"""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path
from typing import Any

import uvicorn

from mainspring.app.children import die_with
from mainspring.engines.home import Home
from mainspring.kernel.errors import NotFound
from mainspring.surfaces.logs import log_to

_ANSWERS = {"/v2/health/live": {"live": True}, "/v2/health/ready": {"ready": True}}


async def gateway(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI callable without framework."""
    if scope["type"] != "http":
        return
    answer = _ANSWERS.get(scope["path"]) if scope["method"] == "GET" else None
    status, body = 200, dict[str, object](answer or {})
    if answer is None:
        problem = NotFound(scope["path"], wanted="a served model", found="none: no serving plan has been delivered")
        status, body = 404, {"error": problem.to_wire()}
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with(options.parent)
    log_to(Home(options.home).logs / "gateway.jsonl")
    config = uvicorn.Config(
        gateway,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=options.fd)])


if __name__ == "__main__":
    main()
