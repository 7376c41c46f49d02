"""What every stage's commands stand on: the common options, output for people and programs, exits.

A command is a function whose first parameter is a `Session`; the options of the session (--json,
--home, --url, --token, --project) are added to every command by `Group.command`.
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from mainspring.kernel import errors
from mainspring.kernel.canonical import plain
from mainspring.surfaces.client import Client, connect

EXIT: dict[type[errors.MainspringError], int] = {
    errors.InvalidInput: 2,
    errors.NotFound: 3,
    errors.NotAuthenticated: 4,
    errors.NotPermitted: 4,
    errors.GateClosed: 5,
    errors.AlreadyExists: 6,
    errors.Conflict: 6,
    errors.EngineUnavailable: 7,
    errors.StepFailed: 8,
    errors.Corrupt: 9,
}
"""The one place where errors meet exit codes; 1 is everything else, 130 is Ctrl-C."""

_PIPE_WIDTH = 240

Home = Annotated[Path | None, typer.Option(help="The home folder (default: nearest .mainspring).", show_default=False)]
Url = Annotated[str | None, typer.Option(help="A server's URL instead of a home.", show_default=False)]
Token = Annotated[str | None, typer.Option(help="A token (default: the home's owner token).", show_default=False)]
Project = Annotated[str | None, typer.Option(help="The project to act in.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
_COMMON = {"home": Home, "url": Url, "token": Token, "project": Project, "json": Json}


@dataclass
class Session:
    """One command's view of the world: a client when asked for, and two ways of printing."""

    home: Path | None = None
    url: str | None = None
    token: str | None = None
    project: str | None = None
    json: bool = False
    console: Console = field(default_factory=lambda: _console())
    notes: Console = field(default_factory=lambda: _console(stderr=True))
    _client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = connect(self.home, self.url, self.token, self.project)
        return self._client

    def show(self, value: Any, text: Callable[[Any], RenderableType] | None = None) -> None:
        """Print `value`: as JSON if asked, else as `text` renders it."""
        if self.json:
            sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        elif text is not None:
            shown = text(value)
            # Lines of text stay lines, however long.
            self.console.print(shown, soft_wrap=isinstance(shown, str))
        elif isinstance(value, Mapping):
            self.console.print(facts(value))
        else:
            self.console.print(value)

    def note(self, text: str) -> None:
        """A line for a person on standard error, left out for programs."""
        if not self.json:
            self.notes.print(text)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _console(*, stderr: bool = False) -> Console:
    """A console; wide where it is no terminal, so that nothing is cut for whoever pipes it on."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _PIPE_WIDTH)


class Group:
    """Commands of one noun (`mainspring model …`), or bare ones where `name` is empty."""

    def __init__(self, name: str = "", help: str = "") -> None:
        self.name = name
        self.typer = typer.Typer(name=name, help=help, no_args_is_help=True)

    def command(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Add a function as the command `name`; its first parameter is the session."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            self.typer.command(name)(_with_session(function))
            return function

        return add


def _with_session(function: Callable[..., Any]) -> Callable[..., None]:
    """`function` as Typer wants it: the session replaced by the options that make one."""
    hints = get_type_hints(function, include_extras=True)
    own = [
        p.replace(annotation=hints.get(p.name, Any)) for p in list(inspect.signature(function).parameters.values())[1:]
    ]
    kind = inspect.Parameter.KEYWORD_ONLY
    common = [
        inspect.Parameter(n, kind, annotation=h, default=False if n == "json" else None) for n, h in _COMMON.items()
    ]

    def run(**given: Any) -> None:
        session = Session(**{name: given.pop(name) for name in _COMMON})
        raise typer.Exit(guarded(session, lambda: function(session, **given)))

    run.__signature__ = inspect.Signature([p.replace(kind=kind) for p in own] + common)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in own} | dict(_COMMON)
    run.__doc__, run.__name__ = function.__doc__, function.__name__
    return run


def guarded(session: Session, action: Callable[[], Any]) -> int:
    """Run `action` and close the session; the exit code. Errors become words, never a traceback."""
    try:
        result = action()
        return result if isinstance(result, int) and not isinstance(result, bool) else 0
    except errors.MainspringError as error:
        _print_error(session, error)
        return exit_code(error)
    except KeyboardInterrupt:
        session.note("\n[yellow]Interrupted.[/] What was acknowledged is kept; run the same command again to go on.")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 (the outermost place: a person gets words, the file has the rest)
        _print_error(session, _unexpected(error))
        return 1
    finally:
        session.close()


def exit_code(error: errors.MainspringError) -> int:
    return next((EXIT[family] for family in type(error).__mro__ if family in EXIT), 1)


def _unexpected(error: Exception) -> errors.MainspringError:
    """A fault of ours in words; its traceback goes to a file, for the report."""
    with tempfile.NamedTemporaryFile("w", prefix="mainspring-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return errors.MainspringError(
        "mainspring",
        wanted="to do this",
        found=f"an unexpected {type(error).__name__}: {error}",
        fix=f"This is a fault of mainspring's; its traceback is in {file.name}.",
    )


def _print_error(session: Session, error: errors.MainspringError) -> None:
    if session.json:
        sys.stdout.write(json.dumps({"error": error.to_wire()}, ensure_ascii=False) + "\n")
        return
    out = session.notes
    out.print(f"[bold red]{type(error).__name__}[/] {_escaped(error.subject)}")
    out.print(f"  wanted  {_escaped(error.wanted)}")
    out.print(f"  found   {_escaped(error.found)}")
    if error.fix:
        out.print(f"  do      {_escaped(error.fix)}")


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> RenderableType:
    """Rows as a plain table of the named columns; a sentence where there are none."""
    rows = list(rows)
    if not rows:
        return "[dim]none[/]"
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        grid.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        grid.add_row(*(_escaped(cell(row.get(column))) for column in columns))
    return grid


def facts(values: Mapping[str, Any]) -> RenderableType:
    """Names and values, one a line."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in values.items():
        grid.add_row(name.replace("_", " "), _escaped(cell(value)))
    return grid


def cell(value: Any) -> str:
    """A value as short text."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case Mapping():
            return ", ".join(f"{k}={cell(v)}" for k, v in value.items())
        case list() | tuple():
            return ", ".join(cell(item) for item in value)
    return str(value)
