"""The examples of README and docs run, and the docs hang together. Those of docstrings are collected by pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.examples import examples

ROOT = Path(__file__).parents[2]
FILES = [str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])]


@pytest.mark.parametrize("name", FILES)
def test_the_examples_of_a_document_run(name: str, tmp_path: Path):
    found = subprocess.run(
        [sys.executable, "-m", "tests.architecture.examples", str(ROOT / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", FILES)
def test_every_fence_says_what_it_holds(name: str):
    unnamed = [example.line for example in examples((ROOT / name).read_text(encoding="utf-8")) if not example.info]
    assert not unnamed


@pytest.mark.parametrize("name", FILES)
def test_every_link_inside_the_repository_leads_somewhere(name: str):
    file = ROOT / name
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", file.read_text(encoding="utf-8"))
    broken = [link for link in links if not (file.parent / link).exists()]
    assert not broken


def test_an_example_that_shows_the_wrong_answer_is_caught(tmp_path: Path):
    document = tmp_path / "wrong.md"
    document.write_text("```python\n>>> 1 + 1\n3\n```\n")
    command = [sys.executable, "-m", "tests.architecture.examples", str(document)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "Expected:" in found.stdout


def test_the_glossary_holds_each_term_once():
    terms = re.findall(
        r"^- \*\*(.+?)\*\* — ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(terms) > 50
    assert len(terms) == len(set(terms))


def test_the_changelog_has_a_heading_for_this_version():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
