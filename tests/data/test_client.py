"""Data over HTTP: the same application, in process and by its commands."""

import shutil

import pytest

import mainspring as ms
from mainspring.data import client as sdk
from mainspring.kernel.errors import Corrupt, InvalidInput, NotFound
from tests.data.conftest import simple


@pytest.fixture
def made(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    return simple()


@pytest.fixture
def applied(client, made, tmp_path):
    sdk.apply(client, [made], folder=tmp_path)
    return made


def test_a_file_beside_its_definition_becomes_a_table(client, applied):
    told = sdk.ingest(client, "t")
    assert (told["version"]["number"], told["added"]) == (1, 2)
    assert sdk.ingest(client, "t")["added"] == 0
    assert ms.load("t@1", client=client).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert ms.load("t", columns=["b", "a"], client=client).column_names == ["b", "a"]
    assert ms.load(applied, client=client).num_rows == 2


def test_another_file_can_be_named(client, applied, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n3,z\n")
    assert sdk.ingest(client, "t", tmp_path / "other.csv")["version"]["source_name"] == "other.csv"


def test_a_file_that_is_not_there_and_a_folder_are_said(client, applied, tmp_path):
    with pytest.raises(NotFound, match="none.csv"):
        sdk.ingest(client, "t", tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="a folder"):
        sdk.ingest(client, "t", tmp_path)


def test_an_unknown_version_or_column_is_said(client, applied):
    with pytest.raises(NotFound, match="mainspring data ingest t"):
        ms.load("t", client=client)
    sdk.ingest(client, "t")
    with pytest.raises(NotFound, match="nope"):
        ms.load("t", columns=["nope"], client=client)


def test_files_of_a_local_home_are_used_where_they_lie(client, applied):
    sdk.ingest(client, "t")
    files = sdk.local_files(client, "t")
    assert all(file.is_relative_to(client.home) for file in files)
    files[0].write_bytes(b"other")
    with pytest.raises(Corrupt, match=files[0].name):
        sdk.local_files(client, "t")


def test_files_of_a_home_elsewhere_are_fetched_once_and_checked(client, applied, tmp_path, monkeypatch):
    monkeypatch.setenv("MAINSPRING_CACHE", str(tmp_path / "cache"))
    sdk.ingest(client, "t")
    home, client.home = client.home, None
    files = sdk.local_files(client, "t")
    assert all(file.is_relative_to(tmp_path / "cache") for file in files)
    assert ms.load("t", client=client).num_rows == 2
    shutil.rmtree(home / "tables")
    files[0].touch()
    assert list((tmp_path / "cache").rglob(".*")) == []


def test_errors_and_what_was_set_apart_travel(client, tmp_path):
    (tmp_path / "t.csv").write_text("a\n1\nx\n")
    sdk.apply(client, [simple(max_quarantine=0.1, types={"a": int})], folder=tmp_path)
    with pytest.raises(InvalidInput, match="mainspring data quarantine"):
        sdk.ingest(client, "t")
    attempt = client.get("/data/datasets/t/attempts")[0]
    assert client.get(f"/data/quarantine/{attempt['id']}")[0]["values"] == {"a": "x"}


def test_lineage_leads_from_a_version_to_its_source(client, applied):
    told = sdk.ingest(client, "t")
    graph = client.get("/lineage/why", name="t@1")
    reached = {node["id"] for node in graph["nodes"]}
    assert {told["version"]["id"], told["version"]["source_fingerprint"]} <= reached
