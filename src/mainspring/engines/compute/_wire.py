"""What travels between the driver and a task's process: frames, messages, the task itself."""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

import cloudpickle

from mainspring.kernel.errors import InvalidInput

MESSAGE, VALUE, ERROR = b"m", b"v", b"e"
"""Kinds of frame a task sends. VALUE or ERROR is its last."""

_HEADER = struct.Struct("!cQ")
_REQUEST = struct.Struct("!idq")
REQUEST_SIZE = _REQUEST.size
SECRET_PREFIX = "MAINSPRING_"


def send_frame(sock: socket.socket, kind: bytes, body: bytes) -> None:
    header = _HEADER.pack(kind, len(body))
    if len(body) < 65_536:
        sock.sendall(header + body)
    else:
        sock.sendall(header)
        sock.sendall(body)


class FrameReader:
    """Frames out of a stream that arrives in pieces."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, size = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + size
            if len(self._pending) < end:
                return
            # A view, so that a large value is copied once and not twice.
            with memoryview(self._pending) as view:
                body = bytes(view[_HEADER.size : end])
            del self._pending[:end]
            yield kind, body


def pack_request(cpu: int, timeout_s: float | None, memory_bytes: int | None) -> bytes:
    """What the zygote has to know of a task; the rest goes past it, straight to the process."""
    return _REQUEST.pack(cpu, timeout_s or 0.0, memory_bytes or 0)


def unpack_request(data: bytes) -> tuple[int, float | None, int | None]:
    cpu, timeout_s, memory_bytes = _REQUEST.unpack(data)
    return cpu, timeout_s or None, memory_bytes or None


def pack_setting(name: str, log_path: str) -> bytes:
    """The driver's surroundings as they are now, for the process to take on before user code loads.

    Platform credentials stay behind: no variable whose name begins with MAINSPRING_.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        folder = "/"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(SECRET_PREFIX)}
    return pickle.dumps(
        {"name": name, "log_path": log_path, "folder": folder, "path": list(sys.path), "environment": environment}
    )


def pack_value(value: Any) -> bytes:
    """By cloudpickle: functions and classes of importable modules by name, those of `__main__` whole."""
    data: bytes = cloudpickle.dumps(value, protocol=5)
    return data


def send_task(sock: socket.socket, setting: bytes, call: bytes) -> None:
    """Blocks until the process has read all of it."""
    send_frame(sock, b"s", setting)
    send_frame(sock, b"c", call)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """`size` bytes; EOFError where the other side stopped before."""
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        got = sock.recv_into(view[filled:])
        if got == 0:
            raise EOFError
        filled += got
    return bytes(data)


def receive_frame(sock: socket.socket) -> bytes:
    _kind, size = _HEADER.unpack(read_exactly(sock, _HEADER.size))
    return read_exactly(sock, size)


def encode_message(message: Mapping[str, Any]) -> bytes:
    """`message` as JSON. Not a pickle: reading it can run nobody's code in the driver."""
    try:
        return json.dumps(dict(message), default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "message of a step", wanted="a JSON object", found=str(error), fix="Report numbers, text, lists and dicts."
        ) from error


def decode_message(data: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(data)
    return message


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    # numpy is asked by its manner, so that nobody loads it to send a message.
    if callable(getattr(value, "item", None)) and getattr(value, "size", None) == 1:
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__}")
