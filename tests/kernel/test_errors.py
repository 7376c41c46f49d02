from __future__ import annotations

import pickle

import pytest

from mainspring.kernel.errors import MainspringError, families, from_wire


@pytest.mark.parametrize("family", families().values())
def test_every_family_survives_the_wire_and_a_pipe(family: type[MainspringError]) -> None:
    error = family("gate mae", wanted="at most 3", found="4", fix="Train again.")
    for copy in (from_wire(error.to_wire()), pickle.loads(pickle.dumps(error))):
        assert type(copy) is family
        assert str(copy) == "gate mae: wanted at most 3, found 4. Train again."


def test_codes_are_unique_and_an_unknown_one_becomes_the_root() -> None:
    classes = {MainspringError, *_below(MainspringError)}
    assert len(families()) == len(classes)
    assert type(from_wire({"code": "from the future", "subject": "x"})) is MainspringError


def _below(family: type[MainspringError]) -> set[type[MainspringError]]:
    return {c for child in family.__subclasses__() for c in ({child} | _below(child))}
