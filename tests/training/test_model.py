import json

import pyarrow as pa
import pytest

from mainspring.kernel.errors import Corrupt, SchemaMismatch
from mainspring.training.model import Card, Field, Signature, pack, signature_of, unpack

ROWS = pa.table({
    "hr": pa.array([1, 2, None]),
    "temp": pa.array([0.5, 0.25, 0.75]),
    "open": pa.array([True, False, True]),
    "color": pa.array(["red", None, "blue"]),
    "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
    "day": pa.array([0, 1, 2], pa.timestamp("s")),
})  # fmt: skip


def test_a_signature_has_names_types_and_nullability_in_the_order_of_the_features():
    signature = signature_of(ROWS, ("color", "hr", "open", "kind", "temp"), "value")
    assert signature.inputs == (
        Field("color", "string", True),
        Field("hr", "int", True),
        Field("open", "bool", False),
        Field("kind", "string", False),
        Field("temp", "float", False),
    )


def test_a_signature_survives_json():
    signature = signature_of(ROWS, ("color", "hr"), "probability")
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


def test_times_are_refused_as_features_with_advice():
    with pytest.raises(SchemaMismatch, match=r"column day: .*timestamp.*Derive numbers"):
        signature_of(ROWS, ("day",), "value")


def test_rows_without_a_column_are_refused_by_its_name():
    with pytest.raises(SchemaMismatch, match="'temp'"):
        signature_of(ROWS, ("temp",), "value").check(pa.table({"hr": [1]}))


@pytest.mark.parametrize(
    ("values", "is_fine"), [([1, 2], True), ([True], True), ([0.5], True), ([None], True), (["x"], False)]
)
def test_integers_and_booleans_pass_as_floats_and_text_does_not(values, is_fine):
    signature = Signature((Field("temp", "float", False),), "value")
    rows = pa.table({"temp": values})
    if is_fine:
        signature.check(rows)
    else:
        with pytest.raises(SchemaMismatch, match="column temp"):
            signature.check(rows)


def test_a_card_is_read_without_the_body_being_loaded():
    card = Card("regressor", "sklearn", ("a",), "y", signature=signature_of(ROWS, ("hr",), "value"), baseline=1.5)
    found, body = unpack(pack(card, b"\n\x00anything\n"))
    assert found == card
    assert body == b"\n\x00anything\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x05pickle",
        b"mainspring model 1\n",
        b"mainspring model 1\n{}\nbody",
        b"mainspring model 1\n[1]\nbody",
    ],
)
def test_bytes_that_are_no_model_file_are_called_so(data):
    with pytest.raises(Corrupt, match="model file"):
        unpack(data)
