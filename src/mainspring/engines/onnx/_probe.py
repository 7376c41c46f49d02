"""The child process that opens a model nobody trusts yet: `python -m … PATH MAX_BYTES MEMORY_BYTES`.

Answers one line of JSON, `{"facts": …}` or `{"error": …}`. Its memory is limited before anything
reads the file.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from mainspring.engines.onnx.onnxruntime_cpu import probe
from mainspring.kernel.errors import MainspringError


def main(path: str, max_bytes: str, memory_bytes: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = probe(Path(path), int(max_bytes))
    except MainspringError as error:
        answer = {"error": error.to_wire()}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
