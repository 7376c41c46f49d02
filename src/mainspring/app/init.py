"""`mainspring init --data my.csv --target y --time t`: a project of the user's own that runs as it is.

The file is really ingested first, into the new project's home: what its columns are is then known
from the manifest and not guessed a second time, and a file that cannot be read leaves no project.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import Environment, PackageLoader, StrictUndefined

from mainspring import not_null
from mainspring.data.client import apply, ingest
from mainspring.data.definitions import dataset, timestamp
from mainspring.data.model import EVENT_TIME
from mainspring.kernel.errors import AlreadyExists, InvalidInput, NotFound
from mainspring.surfaces.cli import Group, Session
from mainspring.surfaces.client import connect

bare = Group()
_MOST_CATEGORIES = 50
_FEW_ROWS = 40


@dataclass(frozen=True)
class Plan:
    """What the project file is written from.

    features  columns the model reads; categories are those of them that hold text.
    left_out  columns it does not read, with the reason.
    positive  the label counted as 1; None for a regression.
    """

    name: str
    model: str
    source: str
    target: str
    time: str | None
    features: list[str]
    categories: list[str]
    left_out: dict[str, str]
    positive: str | int | bool | None
    is_classifier: bool


@bare.command("init")
def init(
    session: Session,
    data: Annotated[Path, typer.Option(help="A CSV file with a header line.")],
    target: Annotated[str, typer.Option(help="The column to predict: a number, or one of two labels.")],
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to make the project (default: the file's name).")] = None,
) -> None:
    """Make a project for your own file: ingest, three candidates, gate, registry, ONNX."""
    name = re.sub(r"[^a-z0-9]+", "_", data.stem.lower()).strip("_") or "data"
    place = (folder or Path(name)).resolve()
    if not data.is_file():
        raise NotFound(
            f"data {data}", wanted="a CSV file", found="nothing of that name" if not data.exists() else "no file"
        )
    if place.exists() and any(place.iterdir()):
        raise AlreadyExists(
            f"folder {place}", wanted="a new or an empty one", found="files in it", fix="Choose another --folder."
        )
    made_here = not place.exists()
    try:
        manifest = _ingested(place, name, data, target, time)
        plan = _planned(name, data, target, time, manifest)
        _write(place, plan)
    except BaseException:
        shutil.rmtree(place if made_here else place / ".mainspring", ignore_errors=True)
        raise
    shown = {
        "folder": str(place),
        "rows": manifest["rows"],
        "quarantined": manifest["counts"]["quarantined"],
        "predicts": f"{target} ({'the chance of ' + repr(plan.positive) if plan.is_classifier else 'a number'})",
        "features": plan.features,
        "left_out": plan.left_out,
    }
    session.show(shown)
    session.note(f"\nNow: [bold]cd {place} && mainspring run {name}[/]")


def _ingested(place: Path, name: str, data: Path, target: str, time: str | None) -> dict[str, Any]:
    # The very definition the project file will hold: its first run finds the data applied and ingested.
    when = timestamp(time) if time else None
    definition = dataset(name, source=data.resolve(), time=when, checks=[not_null(target)])
    with connect(place / ".mainspring") as client:
        apply(client, [definition], folder=place)
        version = ingest(client, definition)["version"]
        manifest: dict[str, Any] = client.get(f"/data/versions/{version['id']}/manifest")
    if manifest["rows"] < _FEW_ROWS:
        raise InvalidInput(f"data {data}", wanted=f"at least {_FEW_ROWS} good rows", found=str(manifest["rows"]))
    return manifest


def _planned(name: str, data: Path, target: str, time: str | None, manifest: Mapping[str, Any]) -> Plan:
    types = {column["name"]: column["type"] for column in manifest["columns"]}
    profile = manifest["profile"]
    is_classifier, positive = _task(target, types[target], profile[target])
    features, categories, left_out = [], [], {}
    for column, kind in types.items():
        if column in (target, EVENT_TIME):
            continue
        if reason := _unfit(column, kind, profile[column], manifest["rows"], time):
            left_out[column] = reason
            continue
        features.append(column)
        if kind == "text":
            categories.append(column)
    if not features:
        raise InvalidInput(f"data {data}", wanted="at least one column to predict from", found=str(left_out))
    source = str(data.resolve())
    return Plan(
        name, name.replace("_", "-"), source, target, time, features, categories, left_out, positive, is_classifier
    )


def _task(target: str, kind: str, profile: Mapping[str, Any]) -> tuple[bool, str | int | bool | None]:
    """(is it a classification, its positive label): two values are labels, other numbers are predicted as such."""
    distinct = profile["distinct"]
    if distinct < 2:
        raise InvalidInput(f"target {target}", wanted="at least two values", found=str(distinct))
    if kind == "boolean":
        return True, True
    if kind == "text":
        if distinct > 2:
            raise InvalidInput(f"target {target}", wanted="a number, or one of two labels", found=f"{distinct} labels")
        # The rarer label is what people ask for: who buys, what breaks.
        return True, str(min(profile["top"], key=lambda entry: entry[1])[0])
    if kind not in ("integer", "number"):
        raise InvalidInput(f"target {target}", wanted="a number, or one of two labels", found=f"a {kind}")
    if distinct == 2 and kind == "integer":
        return True, int(profile["max"])
    return False, None


def _unfit(column: str, kind: str, profile: Mapping[str, Any], rows: int, time: str | None) -> str:
    """Why a column is no feature; empty if it is one."""
    if column == time or kind in ("date", "timestamp"):
        return "a time: the model would only learn the past by heart"
    if profile["distinct"] < 2:
        return "the same value everywhere"
    if kind == "text" and profile["distinct"] > _MOST_CATEGORIES:
        return f"text with {profile['distinct']} different values"
    if kind == "integer" and profile["distinct"] == rows and profile["nulls"] == 0:
        return "another number in every row: an id"
    return ""


def _write(place: Path, plan: Plan) -> None:
    templates = Environment(
        loader=PackageLoader("mainspring.app", "template"),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["literal"] = _literal
    for file in ("project.py", "README.md", ".gitignore"):
        text = templates.get_template(f"{file}.j2").render(plan=plan)
        (place / file).write_text(text, encoding="utf-8")


def _literal(value: str | int | bool) -> str:
    """A Python literal; texts in double quotes, as formatters want them."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
