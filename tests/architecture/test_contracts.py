"""Each import rule catches its own violation, and only that one is reported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = "from importlinter.cli import lint_imports_command as run; run()"

VIOLATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "a lower layer imports a higher one": (
        "1",
        {
            "costs/model.py": "import mainspring.overview.model",
            "overview/model.py": "",
        },
    ),
    "a folder is no layer": ("1", {"shortcuts/model.py": ""}),
    "kernel imports a stage": (
        "1",
        {"kernel/shortcut.py": "import mainspring.overview.model", "overview/model.py": ""},
    ),
    "a model imports its store": (
        "2",
        {"overview/model.py": "import mainspring.overview.store", "overview/store.py": ""},
    ),
    "a store imports a client": (
        "2",
        {"overview/store.py": "import mainspring.overview.client", "overview/client.py": ""},
    ),
    "a plug-in imports a service": (
        "2",
        {
            "overview/charts/contract.py": "",
            "overview/charts/bar.py": "import mainspring.overview.service",
            "overview/service.py": "",
        },
    ),
    "a file is none of the slots": ("2", {"overview/extras.py": ""}),
    "a slot's folder holds helpers": ("2", {"overview/service/helpers.py": ""}),
    "kernel imports numpy": ("3", {"kernel/shortcut.py": "import numpy"}),
    "a model reaches a database through an engine": (
        "3",
        {"overview/model.py": "import mainspring.engines.extra", "engines/extra.py": "import sqlalchemy"},
    ),
    "an event imports numpy": ("3", {"overview/events.py": "import numpy"}),
    "a definition reaches a table engine through a lower slot": (
        "3",
        {
            "overview/definitions.py": "import mainspring.overview.settings",
            "overview/settings.py": "import mainspring.engines.extra",
            "engines/extra.py": "import deltalake",
        },
    ),
    "a service imports a vendor's client": ("4", {"overview/service.py": "import duckdb"}),
    "a service imports the web framework": ("4", {"overview/service.py": "from fastapi import APIRouter"}),
    "a library is listed nowhere": ("4", {"engines/extra.py": "import requests"}),
    "demo mounts a route": ("5", {"demo/extra.py": "import mainspring.overview.routes", "overview/routes.py": ""}),
    "a service stands on surfaces": (
        "5",
        {"overview/service.py": "import mainspring.surfaces.extra", "surfaces/extra.py": ""},
    ),
    "a plug-in imports its neighbor": (
        "6",
        {
            "overview/charts/contract.py": "",
            "overview/charts/line.py": "",
            "overview/charts/bar.py": "import mainspring.overview.charts.line",
        },
    ),
    "a plug-in reaches its neighbor through a private module": (
        "6",
        {
            "overview/charts/contract.py": "",
            "overview/charts/line.py": "",
            "overview/charts/_ink.py": "import mainspring.overview.charts.line",
            "overview/charts/bar.py": "import mainspring.overview.charts._ink",
        },
    ),
    "a contract imports a plug-in": (
        "6",
        {"overview/charts/contract.py": "import mainspring.overview.charts.line", "overview/charts/line.py": ""},
    ),
    "an engine imports another of its role": (
        "6",
        {
            "engines/extra/contract.py": "",
            "engines/extra/big.py": "import mainspring.engines.extra.small",
            "engines/extra/small.py": "",
        },
    ),
    "two modules import each other": (
        "7",
        {
            "overview/service/first.py": "import mainspring.overview.service.second",
            "overview/service/second.py": "import mainspring.overview.service.first",
        },
    ),
    "a service imports another stage's store": (
        "8",
        {"overview/service.py": "import mainspring.costs.store", "costs/store.py": ""},
    ),
    "a store imports another stage's service": (
        "8",
        {"overview/store.py": "import mainspring.costs.service", "costs/service.py": ""},
    ),
    "the front of the SDK imports a store": (
        "8",
        {"__init__.py": "import mainspring.costs.store", "costs/store.py": ""},
    ),
    "a service imports another stage's client": (
        "8",
        {"overview/service.py": "import mainspring.costs.client", "costs/client.py": ""},
    ),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's Python files, in a folder that can be put on the path."""
    copy = tmp_path / "src" / "mainspring"
    shutil.copytree(ROOT / "src" / "mainspring", copy, ignore=_all_but_python)
    return copy


@pytest.fixture(scope="module")
def before() -> set[str]:
    """The rules that the package breaks as it is. None, but one mistake shall not fail every test here."""
    return broken_rules(ROOT / "src")[0]


def test_the_package_keeps_every_rule():
    broken, report = broken_rules(ROOT / "src")
    assert not broken, report


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_caught_by_its_own_rule(name: str, package: Path, before: set[str]):
    rule, files = VIOLATIONS[name]
    if rule in before:
        pytest.skip(f"the package itself breaks rule {rule}")
    for path, content in files.items():
        add(package / path, content)
    broken, report = broken_rules(package.parent)
    assert broken == before | {rule}, report


def test_what_the_rules_allow_is_not_reported(package: Path, before: set[str]):
    allowed = {
        "costs/model.py": "import numpy, pyarrow, mainspring.science.extra",
        "science/extra.py": "import numpy, scipy",
        "costs/events.py": "import mainspring.costs.model",
        "costs/service.py": "import mainspring.costs.store, mainspring.data.service",
        "costs/store.py": "import sqlalchemy, pyarrow, mainspring.costs.work",
        "costs/work.py": "import mainspring.costs.charts.contract",
        "costs/charts/contract.py": "import mainspring.costs.definitions",
        "costs/charts/bar.py": "import duckdb, mainspring.costs.charts.contract, mainspring.costs.charts._ink",
        "costs/charts/_ink.py": "",
        "costs/definitions.py": "import mainspring.data.model",
        "costs/client.py": "import httpx, mainspring.surfaces.client, mainspring.costs.definitions",
        "overview/client.py": "import mainspring.costs.client, mainspring.costs.service",
        "overview/pages.py": "import fastapi, mainspring.costs.service, mainspring.overview.service",
        "overview/service.py": "import mainspring.costs.events",
        "__init__.py": "import mainspring.costs.charts.bar, mainspring.costs.client",
        "app/extra.py": "import mainspring.overview.pages, mainspring.costs.store",
        "access/pages.py": "import mainspring.surfaces.extra",
        "surfaces/extra.py": "import mainspring.access.service",
        "data/service.py": "",
        "data/model.py": "",
        "surfaces/client.py": "",
        "access/service.py": "",
    }
    for path, content in allowed.items():
        add(package / path, content)
    broken, report = broken_rules(package.parent)
    assert broken == before, report


def add(path: Path, content: str) -> None:
    """Append `content` to a module, which is made with its packages where it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in (path.parent, path.parent.parent):
        if folder.name != "src":
            (folder / "__init__.py").touch()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{content}\n")


def broken_rules(source: Path) -> tuple[set[str], str]:
    """The numbers of the rules that the package under `source` breaks, and the linter's report.

    A process of its own, because the linter finds the package by importing nothing but its name,
    and this process knows another one by that name.
    """
    found = subprocess.run(
        [sys.executable, "-c", LINTER, "--config", "pyproject.toml", "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = found.stdout + found.stderr
    broken = set(re.findall(r"^(\d) .* BROKEN\b", report, flags=re.MULTILINE))
    assert "Broken contracts" in report if broken else found.returncode == 0, report
    return broken, report


def _all_but_python(folder: str, names: list[str]) -> list[str]:
    return [
        name for name in names if not (name.endswith(".py") or Path(folder, name).is_dir()) or name == "__pycache__"
    ]
