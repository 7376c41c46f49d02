"""Digests of rows: of values and order alone."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mainspring.data.model import ColumnType
from mainspring.data.work.columns import ARROW
from mainspring.data.work.contents import Contents

KINDS: list[ColumnType] = ["integer", "number", "boolean", "date", "timestamp", "text"]
rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.integers(0, 20_000)),
        st.one_of(st.none(), st.integers(0, 2**50)),
        st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    ),
    max_size=30,
)


def table(values) -> pa.Table:
    columns = list(zip(*values, strict=True)) if values else [()] * len(KINDS)
    made = [
        pa.array(column, pa.int32() if kind == "date" else ARROW[kind])
        for column, kind in zip(columns, KINDS, strict=True)
    ]
    return pa.table([array.cast(ARROW[kind]) for array, kind in zip(made, KINDS, strict=True)], names=KINDS)


def digests(batches):
    contents = Contents(KINDS)
    for batch in batches:
        contents.see(batch)
    return contents.digests()


@given(values=rows, size=st.integers(1, 7))
def test_batches_make_no_difference(values, size):
    whole = table(values)
    assert digests(whole.to_batches(max_chunksize=size)) == digests(whole.combine_chunks().to_batches())


@given(values=rows, size=st.integers(1, 7))
def test_a_slice_of_a_longer_table_counts_as_its_own_rows(values, size):
    whole = table([*values, *values])
    assert digests(whole.slice(len(values)).to_batches()) == digests(table(values).to_batches())


@given(values=rows, others=rows)
def test_other_values_have_other_digests(values, others):
    def exact(given_rows):
        return [tuple(map(repr, row)) for row in given_rows]

    assert (digests(table(values).to_batches()) == digests(table(others).to_batches())) == (
        exact(values) == exact(others)
    )
