"""The registry as the SDK sees it: load a model in one line, register one from a script."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mainspring.evaluation.definitions import Predictions
from mainspring.kernel.errors import Corrupt
from mainspring.surfaces.client import Client, connect
from mainspring.tracking.client.artifacts import put_artifact
from mainspring.tracking.client.environments import environment
from mainspring.training.definitions import Model
from mainspring.training.model import Signature


def load_model(
    reference: str,
    *,
    home: str | Path | None = None,
    url: str | None = None,
    project: str | None = None,
    client: Client | None = None,
) -> Model:
    """The registered model `name@alias`, `name:number` or of an id, ready to predict.

    Its bytes and its signature are checked against the registry's record; the load is recorded
    under your name. This runs what the model's author packed, in your process.
    Raises NotFound, Corrupt, MissingExtra.
    """
    with ExitStack() as stack:
        client = client or stack.enter_context(connect(home, url, project=project))
        version = client.get(f"/registry/versions/{reference}")
        # By id from here on: an alias may move between the two calls.
        data = client.get_bytes(f"/registry/versions/{version['id']}/artifact")
    found = hashlib.sha256(data).hexdigest()
    if found != version["artifact_digest"]:
        raise Corrupt(version["reference"], wanted=f"sha-256 {version['artifact_digest']}", found=found)
    model = Model.from_bytes(data)
    if model.signature != Signature.from_json(version["profile"]["card"]["signature"]):
        raise Corrupt(f"signature of {version['reference']}", wanted="the registered one", found="another in its file")
    return model


def register_model(
    client: Client,
    model: Model,
    name: str,
    *,
    predictions: Predictions | None = None,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, Any] | None = None,
    dataset_version_ids: Sequence[str] = (),
    run_id: str | None = None,
    **described: Any,
) -> dict[str, Any]:
    """Register a model from a script or notebook; the version, with `is_new`.

    described   owner, license, description, tags.
    """
    candidate: dict[str, Any] = {"model": {"artifact": put_artifact(client, model.to_bytes())}}
    if predictions is not None:
        candidate["predictions"] = {"artifact": put_artifact(client, predictions.to_bytes())}
    body = {
        "candidate": candidate,
        "metrics": dict(metrics or {}),
        "params": dict(params or {}),
        "dataset_version_ids": list(dataset_version_ids),
        "environment_id": environment(client)["id"],
        "run_id": run_id,
        **described,
    }
    version: dict[str, Any] = client.post(f"/registry/models/{name}/versions", body)
    return version
