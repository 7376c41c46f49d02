"""What the registry's use cases share: making models, and the card of an artifact."""

from __future__ import annotations

from mainspring.engines.sql.contract import Work
from mainspring.kernel.errors import Corrupt, InvalidInput
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal
from mainspring.registry import store
from mainspring.registry.events import ModelCreated
from mainspring.registry.model import Model, ModelId
from mainspring.tracking.service import TrackingService
from mainspring.training.model import Card, unpack


def ensure_model(work: Work, name: str) -> Model:
    """The model of that name, made now where there was none."""
    project = work.principal.project
    model = store.model_named(work.connection, project, name)
    if model is None:
        model = Model(ModelId(new_id()), project, name, "", work.principal.id, work.now)
        store.add_model(work, model)
        work.emit(ModelCreated(model_id=model.id, name=name))
    return model


def card_of(tracking: TrackingService, principal: Principal, digest: str) -> Card:
    """The card of a stored model file, which is checked against its digest and not loaded.

    Raises NotFound, Corrupt (the bytes have changed), InvalidInput (it is no model file).
    """
    data = b""
    for piece in tracking.artifact(principal, digest):
        data += piece
        if data.count(b"\n", 0, len(data)) >= 2:
            break
    try:
        return unpack(data)[0]
    except Corrupt as error:
        raise InvalidInput(
            f"artifact {digest}",
            wanted="a model",
            found="other bytes",
            fix="Give a step's ms.Regressor or ms.Classifier.",
        ) from error
