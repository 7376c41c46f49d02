"""Runs the Python examples of one Markdown file, in order, as one session: `python -m … FILE`.

    ```python          run; where it has prompts, what it shows must be what the file says
    ```python sketch   parsed only: the shape of something, with parts left out

Every other language is left alone, but a fence has to say which it is.
"""

from __future__ import annotations

import ast
import doctest
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced block: what follows the fence, its text, and the line its text begins at."""

    info: str
    code: str
    line: int


def examples(text: str) -> list[Example]:
    """The fenced blocks of a Markdown text.

    >>> examples("a\\n```python\\n1 + 1\\n```\\n")
    [Example(info='python', code='1 + 1\\n', line=3)]
    """
    return [
        Example(found["info"].strip(), found["code"], text.count("\n", 0, found.start("code")) + 1)
        for found in FENCE.finditer(text)
    ]


def run(file: Path) -> int:
    """Run the file's examples and give the number that failed; what went wrong is printed."""
    session: dict[str, Any] = {"__name__": "__main__"}
    failed = 0
    for example in examples(file.read_text(encoding="utf-8")):
        if example.info == "python sketch":
            ast.parse(example.code)
        elif example.info == "python" and ">>>" in example.code:
            test = doctest.DocTestParser().get_doctest(example.code, session, file.name, str(file), example.line - 1)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            failed += runner.run(test, clear_globs=False).failed
            session.update(test.globs)
        elif example.info == "python":
            exec(compile("\n" * (example.line - 1) + example.code, file, "exec"), session)
    return failed


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])) > 0)
