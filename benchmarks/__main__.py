"""`python -m benchmarks [NAME ...]`: measure, print, keep."""

from __future__ import annotations

import importlib
import sys

from benchmarks.report import Figure, show

ALL = ("events", "steps", "server", "demo", "install")


def main() -> None:
    chosen = sys.argv[1:] or ALL
    figures: list[Figure] = []
    for name in chosen:
        if name not in ALL:
            sys.exit(f"benchmark {name!r}: wanted one of {', '.join(ALL)}")
        print(f"measuring {name} ...", flush=True)
        figures += importlib.import_module(f"benchmarks.{name}").measure()
    show(figures)


if __name__ == "__main__":
    main()
