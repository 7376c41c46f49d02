"""What a stranger's machine gets: bounds, locks, and a package that is light to import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))
STAGES = PROJECT["tool"]["importlinter"]["stages"]


def test_importing_mainspring_loads_nothing_but_itself_and_python():
    code = """
import json, sys
before = set(sys.modules)
import mainspring
json.dump(sorted({name.partition(".")[0] for name in set(sys.modules) - before}), sys.stdout)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    foreign = set(json.loads(found.stdout)) - set(sys.stdlib_module_names) - {"mainspring"}
    assert not foreign


@pytest.mark.parametrize("stage", STAGES)
def test_the_init_of_a_stage_is_empty(stage: str):
    folder = ROOT / "src" / "mainspring" / stage
    if folder.exists():
        assert (folder / "__init__.py").read_bytes() == b""


def test_every_base_dependency_has_a_lower_and_an_upper_bound():
    for text in PROJECT["project"]["dependencies"]:
        operators = {specifier.operator for specifier in Requirement(text).specifier}
        assert {">=", "<"} <= operators, text


def test_python_has_no_upper_bound():
    assert PROJECT["project"]["requires-python"] == ">=3.11"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_line_with_hashes_and_names_no_address(lock: str):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^[ ]*-(?!-hash=)", text, flags=re.MULTILINE), "an option of pip, where only pins belong"
    assert pins(lock)
    for entry in entries(lock):
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_base_lock_holds_every_dependency_within_its_bounds():
    locked = pins("requirements.lock")
    for text in PROJECT["project"]["dependencies"]:
        requirement = Requirement(text)
        versions = locked[requirement.name]
        assert all(requirement.specifier.contains(version) for version in versions), (text, versions)


def test_the_developers_lock_agrees_with_the_base_lock():
    base, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in base} == base


def entries(lock: str) -> list[str]:
    """The lock's requirements, each with its hashes on one line."""
    joined = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pins(lock: str) -> dict[str, set[str]]:
    """Each package's pinned versions: more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        name, version = entry.split()[0].split("==")
        found.setdefault(name, set()).add(version)
    return found
