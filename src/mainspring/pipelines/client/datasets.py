"""Dataset parameters of a run: which version, and where its files are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mainspring.data import client as data
from mainspring.data.definitions import Dataset
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.surfaces.client import Client


def resolve(client: Client, given: Dataset | str) -> dict[str, Any]:
    """The version that a run shall use: {"version_id", "reference", "dataset", "number", "rows"}.

    given  a definition: its source is ingested, which gives the version that is there already
           where neither has changed; a definition nobody applied yet is applied. A text: a version
           ("demand@3", an id), or the newest one of a dataset ("demand").
    Raises Conflict where another definition of that name is applied, NotFound, InvalidInput.
    """
    if isinstance(given, str):
        return _described(client.get(f"/data/versions/{quote(given)}"))
    try:
        applied = client.get(f"/data/datasets/{quote(given.name)}")
    except NotFound:
        data.apply(client, [given])
    else:
        if applied["definition_digest"] != given.digest:
            raise Conflict(
                f"dataset {given.name}",
                wanted="the definition that is applied",
                found="another one in the pipeline's file",
                fix="Apply it with `mainspring apply`, or undo the change.",
            )
    return _described(data.ingest(client, given)["version"])


def _described(version: dict[str, Any]) -> dict[str, Any]:
    reference = f"{version['dataset']}@{version['number']}"
    chosen = {name: version[name] for name in ("dataset", "number", "rows")}
    return {"version_id": version["id"], "reference": reference, **chosen}


def list_files(client: Client, version_id: str, folder: Path) -> Path:
    """A file in `folder` that lists the version's files, as the materializer `dataset` reads it."""
    place = folder / f"dataset-{version_id}"
    if not place.exists():
        files = data.local_files(client, version_id)
        place.write_text(json.dumps({"files": [str(file) for file in files]}))
    return place
