"""How the API answers what it should not be sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from mainspring.app.build import Application, opened
from mainspring.engines.home import Home
from mainspring.kernel.errors import InvalidInput, MainspringError, families
from mainspring.surfaces.cli import exit_code
from mainspring.surfaces.client import Client, connect
from mainspring.surfaces.http import BODY_LIMIT_BYTES, SESSION_COOKIE, status_of


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with opened(Home(tmp_path_factory.mktemp("http") / "home")) as built:
        yield built


@pytest.fixture(scope="module")
def http(application: Application) -> Iterator[httpx.Client]:
    """The application on a real port, by its own server."""
    config = uvicorn.Config(application.asgi, port=0, log_config=None, loop="uvloop", http="httptools")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    token = application.engines.home.owner_token.read_text().strip()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        yield client
    server.should_exit = True
    thread.join(10)


def error(answer: httpx.Response) -> dict[str, str]:
    told: dict[str, str] = answer.json()["error"]
    assert told["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return told


def test_malformed_json_is_told_with_its_place(http: httpx.Client) -> None:
    answer = http.post("/api/v1/tracking/runs", content=b'{"name": ', headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "JSON" in error(answer)["wanted"]


def test_a_missing_field_is_named_and_its_value_is_not_repeated(http: httpx.Client) -> None:
    assert error(http.post("/api/v1/tracking/runs", json={}))["subject"] == "body.name"
    told = error(http.post("/api/v1/access/tokens", json={"role": {"secret": "hunter2"}}))
    assert told["subject"] == "body.role"
    assert "hunter2" not in str(told)


def test_an_unknown_path_and_method_are_told(http: httpx.Client) -> None:
    assert http.get("/api/v1/nothing").status_code == 404
    answer = http.patch("/api/v1/tracking/runs")
    assert answer.status_code == 405
    assert "Allow" in answer.headers or error(answer)


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_over_the_limit_is_refused_stated_or_not(http: httpx.Client, stated: bool) -> None:
    size = BODY_LIMIT_BYTES + (1 << 20)
    body = b"x" * size if stated else (b"x" * (1 << 16) for _ in range(size >> 16))
    answer = http.post("/api/v1/tracking/runs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert error(answer)["wanted"].startswith(f"at most {BODY_LIMIT_BYTES} bytes")
    assert http.get("/health").status_code == 200


def test_an_upload_may_be_larger_and_leaves_no_spool(http: httpx.Client, application: Application) -> None:
    import hashlib

    data = b"0123456789abcdef" * (1 << 20)
    digest = hashlib.sha256(data).hexdigest()
    assert http.put(f"/api/v1/tracking/artifacts/{digest}", content=data).json()["size_bytes"] == len(data)
    wrong = http.put(f"/api/v1/tracking/artifacts/{digest}", content=b"other")
    assert (wrong.status_code, error(wrong)["code"]) == (500, "corrupt")
    assert list(application.engines.home.work.glob("upload-*")) == []
    assert b"".join(http.stream("GET", f"/api/v1/tracking/artifacts/{digest}").__enter__().iter_bytes()) == data


@pytest.mark.parametrize(
    "path", ["..%2f..%2fkeys%2fowner.token", "%2e%2e/keys", "../../keys/owner.token", "0" * 63 + "%00"]
)
def test_no_path_leaves_the_store(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/api/v1/tracking/artifacts/{path}")
    assert answer.status_code in (404, 405, 422)
    assert "ms_" not in answer.text


def test_a_request_id_is_taken_if_it_is_harmless(http: httpx.Client) -> None:
    assert http.get("/health", headers={"x-request-id": "mine"}).headers["x-request-id"] == "mine"
    long = http.get("/health", headers={"x-request-id": "x" * 65}).headers["x-request-id"]
    assert len(long) == 36


def test_a_cookie_changes_nothing_from_another_origin(http: httpx.Client, application: Application) -> None:
    access = application.services.access
    owner = access.sign_in(application.engines.home.owner_token.read_text().strip())
    cookie = {"cookie": f"{SESSION_COOKIE}_{http.base_url.port}={access.enter(access.open_link(owner).text).text}"}
    with httpx.Client(base_url=http.base_url, headers=cookie) as browser:
        assert browser.get("/api/v1/access/me").status_code == 200
        for headers in ({}, {"origin": "http://127.0.0.1:1"}, {"origin": "https://evil.example"}):
            refused = browser.post("/api/v1/tracking/runs", json={"name": "forged"}, headers=headers)
            assert refused.status_code == 403
        own = {"origin": str(http.base_url).rstrip("/")}
        assert browser.post("/api/v1/tracking/runs", json={"name": "real"}, headers=own).status_code == 200


def test_metrics_are_counted_by_route_and_not_by_path(http: httpx.Client) -> None:
    for number in range(3):
        http.get(f"/api/v1/tracking/runs/{number}")
    text = http.get("/metrics").text
    lines = [
        line for line in text.splitlines() if line.startswith("mainspring_http_requests_total") and "/runs/{id}" in line
    ]
    assert any('status="404"' in line and line.endswith(" 3.0") for line in lines)
    assert "/runs/1" not in text


def test_the_description_of_the_api_is_for_those_who_may_read(http: httpx.Client) -> None:
    assert "/api/v1/tracking/runs" in http.get("/openapi.json").json()["paths"]
    assert httpx.get(f"{http.base_url}/openapi.json").status_code == 401
    assert httpx.get(f"{http.base_url}/docs").status_code in (401, 404)


@pytest.mark.parametrize("family", families().values())
def test_every_error_has_a_status_and_an_exit_code_of_its_kind(family: type[MainspringError]) -> None:
    made = family("x", wanted="y", found="z")
    assert 400 <= status_of(made) < 600
    assert exit_code(made) != 0


def test_the_client_raises_what_the_server_raised(tmp_path: Path) -> None:
    with connect(tmp_path / "home") as client, pytest.raises(InvalidInput, match=r"run name.*1 to 250 printable"):
        client.post("/tracking/runs", {"name": " "})


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(MainspringError, match="mainspring status"),
        connect(url="http://127.0.0.1:1", token="t") as client,
    ):
        client.get("/access/me")


def test_a_proxy_of_the_environment_never_sees_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with connect(tmp_path / "home") as client:
        assert isinstance(client, Client)
        assert client.get("/access/me")["name"] == "owner"
