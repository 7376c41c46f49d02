"""The command line: every stage's commands, and the bare ones."""

from __future__ import annotations

import sys

import typer

import mainspring
from mainspring.app.parts import stage_modules
from mainspring.kernel import plugins


def application() -> typer.Typer:
    """The Typer application with every part's commands mounted."""
    app = typer.Typer(
        name="mainspring",
        help="A model's whole life in one loop: data, pipeline, training, gate, registry, and the record of it all.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )

    @app.callback(invoke_without_command=True)
    def main_options(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
        if version:
            typer.echo(mainspring.__version__)
            raise typer.Exit

    for module in (*own_modules(), *stage_modules("commands")):
        _mount(app, module)
    return app


def own_modules() -> list[object]:
    """The app's own bare commands."""
    from mainspring.app import apply, init, operate

    # `demo` lies above `app`, so it is looked up and not imported.
    return [operate, init, apply, plugins.load("mainspring.demo", "commands")]


def _mount(app: typer.Typer, module: object) -> None:
    if (bare := getattr(module, "bare", None)) is not None:
        for command in bare.typer.registered_commands:
            app.registered_commands.append(command)
    groups = getattr(module, "commands", None)
    for group in groups if isinstance(groups, tuple) else ([groups] if groups else []):
        app.add_typer(group.typer, name=group.name)


def main() -> None:
    """The entry point `mainspring`."""
    try:
        application()()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
