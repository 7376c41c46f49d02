"""No route without a principal and a verb, and no command that acts without a valid token."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from fastapi.routing import APIRoute, iter_route_contexts
from typer.testing import CliRunner

from mainspring.access.service import AccessService
from mainspring.app.build import Application, opened, prepare
from mainspring.app.cli import application as cli
from mainspring.app.services import build_services
from mainspring.engines.assembly import Engines
from mainspring.engines.home import Home
from mainspring.kernel.principals import VERB_ATTRIBUTE, Principal
from mainspring.surfaces.client import InProcess
from mainspring.surfaces.http import current_principal

OPEN_TO_ALL = {"/health", "/ui/enter", "/ui/static/{path:path}"}
"""What an anonymous caller may reach: health, the one-time link, and style sheets."""
LOCAL = {"up", "demo", "init", "doctor", "logs"}
"""Commands that make or read the user's own files and sign in only afterwards, if at all."""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with opened(Home(tmp_path_factory.mktemp("doors") / "home")) as built:
        yield built


def api_routes(application: Application) -> list[Any]:
    """Every route with its whole path, wherever it was included; mounted static files are no routes."""
    return [
        found for found in iter_route_contexts(application.asgi.routes) if isinstance(found.original_route, APIRoute)
    ]


def test_every_route_asks_who_calls(application: Application) -> None:
    found = api_routes(application)
    assert len(found) > 40, "the walk must see the stages' routes"
    for route in found:
        if route.path not in OPEN_TO_ALL:
            asked = {dependency.call for dependency in _dependencies(route.dependant)}
            assert current_principal in asked, f"{route.methods} {route.path} has no principal"


def _dependencies(dependant: Any) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner
        yield from _dependencies(inner)


def test_anonymous_callers_get_nothing_but_health(application: Application) -> None:
    with httpx.Client(base_url="http://test", transport=InProcess(application.asgi)) as http:
        assert http.get("/health").status_code == 200
        for route in api_routes(application):
            if route.path in OPEN_TO_ALL:
                continue
            for method in route.methods:
                answer = http.request(method, _filled(route.path))
                assert answer.status_code == 401, f"{method} {route.path} answered {answer.status_code} to nobody"


def test_a_principal_without_a_role_may_do_nothing(application: Application) -> None:
    """Asked with a well-formed body, every API route refuses for want of the verb, and for no other reason."""
    access = application.services.access
    owner = access.sign_in(application.engines.home.owner_token.read_text().strip())
    access.create_principal(owner, "stranger", "viewer")
    token = access.issue_token(owner, name="stranger").text
    access.grant(owner, "stranger", None)
    described = application.asgi.openapi()
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url="http://test", transport=InProcess(application.asgi), headers=headers) as http:
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                if path in OPEN_TO_ALL:
                    continue
                options = _well_formed(operation, described)
                answer = http.request(method, _filled(path), **options)
                assert answer.status_code == 403, f"{method} {path} answered {answer.status_code}: {answer.text[:300]}"


def _filled(path: str) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda m: "0" * 64 if m[1] == "digest" else "1", path)


def _well_formed(operation: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    params = {
        p["name"]: _example(p["schema"], described)
        for p in operation.get("parameters", [])
        if p["in"] == "query" and p.get("required")
    }
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        return {"params": params, "json": _example(content["application/json"]["schema"], described)}
    return {"params": params}


def _example(schema: dict[str, Any], described: dict[str, Any]) -> Any:
    """The least value a JSON schema allows."""
    if reference := schema.get("$ref"):
        return _example(described["components"]["schemas"][reference.rpartition("/")[2]], described)
    if options := schema.get("anyOf"):
        return _example(options[0], described)
    if values := schema.get("enum"):
        return values[0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            return {name: _example(schema["properties"][name], described) for name in schema.get("required", [])}
        case "array":
            return [_example(schema["items"], described)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string" if schema.get("format") == "date-time":
            return "2026-01-01T00:00:00Z"
    return "0" * 64 if "64" in schema.get("pattern", "") else "x" * max(1, schema.get("minLength", 1))


def test_every_use_case_of_every_service_names_a_verb(engines: Engines) -> None:
    """A public method whose first argument is a principal is a use case; it must carry its verb."""
    services = vars(build_services(engines))
    seen = 0
    for service in services.values():
        for name, method in inspect.getmembers(service, inspect.ismethod):
            parameters = list(inspect.signature(method).parameters.values())
            if name.startswith("_") or not parameters or parameters[0].name != "principal":
                continue
            seen += 1
            if name not in ("resolve",):
                assert hasattr(method, VERB_ATTRIBUTE), f"{type(service).__name__}.{name} has no verb"
    assert seen > 30


def test_verbs_are_named_after_their_stage_and_unique(engines: Engines) -> None:
    verbs: dict[str, Any] = {}
    for stage, service in vars(build_services(engines)).items():
        for _, method in inspect.getmembers(service, inspect.ismethod):
            verb = getattr(method, VERB_ATTRIBUTE, None)
            if verb is not None:
                assert verb.name.startswith(f"{stage}."), f"{verb.name} in the service of {stage}"
                assert verbs.setdefault(verb.name, verb.least) == verb.least


def commands() -> list[tuple[str, ...]]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from walk(inner, (*path, name))
        else:
            yield path

    return list(walk(typer.main.get_command(cli()), ()))


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_needs_a_valid_token(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path[0] in LOCAL:
        _assert_local(path, tmp_path, monkeypatch)
        return
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project.py").write_text(PROJECT)
    prepare(Home(tmp_path / "home"))
    command = _command(path)
    arguments = [_argument(p, tmp_path) for p in command.params if getattr(p, "required", False)]
    flat = [part for group in arguments for part in group]
    given = [*path, *flat, "--home", str(tmp_path / "home"), "--token", "ms_0123456789abcdef_wrong", "--json"]
    result = CliRunner().invoke(cli(), given)
    assert result.exit_code == 4, f"{' '.join(given)}: exit {result.exit_code}: {result.output}"
    assert json.loads(result.stdout.strip().splitlines()[-1])["error"]["code"] == "not_authenticated"


def _assert_local(path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a command touches no home but its user's own files: without one it finds nothing to show."""
    if path[0] in ("logs", "doctor"):
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(
            cli(), [*path, *(["worker"] if path[0] == "logs" else []), "--home", str(tmp_path / "none")]
        )
        assert result.exit_code in (0, 3)
        assert not (tmp_path / "none").exists()


PROJECT = """
import mainspring as ms

@ms.step
def one(x: int) -> int:
    return x

@ms.pipeline
def x(seed: int = 0) -> None:
    one(seed)
"""


def _command(path: tuple[str, ...]) -> Any:
    found: Any = typer.main.get_command(cli())
    for name in path:
        found = found.commands[name]
    return found


def _argument(parameter: Any, folder: Path) -> list[str]:
    value = "1" if parameter.bare_type in (int, float) else "x"
    return [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]


def test_the_platform_principal_is_no_way_in(application: Application) -> None:
    """The principal controllers act as has no token: nobody can sign in as it."""
    access: AccessService = application.services.access
    owner: Principal = access.sign_in(application.engines.home.owner_token.read_text().strip())
    assert all(grant.principal != "system" for grant in access.grants(owner))
