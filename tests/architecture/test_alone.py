"""Each part by itself: importing one starts none of the others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mainspring.app.parts import PARTS

LOOK = """
import importlib, json, sys, threading
importlib.import_module(sys.argv[1])
stages = sorted({name.split(".")[1] for name in sys.modules if name.startswith("mainspring.") and ".service" in name})
print(json.dumps({"services": stages, "threads": threading.active_count(), "app": "mainspring.app" in sys.modules}))
"""


@pytest.mark.parametrize("part", [part for part in PARTS if part != "training"])
def test_a_service_brings_only_earlier_ones_and_starts_nothing(part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, f"mainspring.{part}.service"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    earlier = PARTS[: PARTS.index(part) + 1]
    assert set(found["services"]) <= set(earlier), "a part must not need what comes after it"
    assert found["threads"] == 1
    assert found["app"] is False
