"""Parts of a pipeline that are no user code: calls of the platform, and picking the best of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions import running
from mainspring.pipelines.definitions.handles import Handle


@dataclass(frozen=True)
class Operation:
    """A call of the platform as part of a pipeline.

    path         relative to the API's root; the arguments are posted there as JSON. Every handle in
                 them is replaced by {"artifact": digest, "kind", "step_id", "run_id"} of the output
                 it stands for; a handle of a step with named outputs by one such object per name.
    result_type  what the answer is made into (a dataclass, `Verdict`, dict ...).

    An answer {"job_id": id} is waited for; its job's result is the answer then. Operations are
    executed on every run, also on a resumed one: the server's side is idempotent.
    """

    name: str
    path: str
    arguments: Mapping[str, Any]
    result_type: Any = dict


@dataclass(frozen=True)
class Choice:
    """Pick one of several executions by the score of one of their outputs.

    groups  outputs of the choice by name, each a list of handles in the same order.
    by      the group whose values are scored.
    """

    name: str
    groups: Mapping[str, Sequence[Any]]
    by: str
    score: Callable[[Any], float]
    prefer: Literal["least", "greatest"]


class Candidate(NamedTuple):
    """A model and its predictions, as `ms.best` picks them and `ms.gate` and `ms.register` take them."""

    model: Any
    predictions: Any


def operation(name: str, path: str, arguments: Mapping[str, Any], result_type: Any = dict) -> Any:
    """The handle of a platform call; see `Operation`. Raises InvalidInput outside a running pipeline."""
    return _runner(name).call(Operation(name, path, dict(arguments), result_type))


def choose(
    name: str,
    groups: Mapping[str, Sequence[Any]],
    *,
    by: str,
    score: Callable[[Any], float],
    prefer: Literal["least", "greatest"] = "least",
) -> Any:
    """The handle of the chosen of several candidates, with one output per group.

    The group `by` is loaded and scored where the pipeline function runs; of equal scores the first
    wins. A score that is NaN is never chosen. Raises InvalidInput for lists of different length, an
    empty list, or outside a running pipeline.
    """
    lists = {group: list(handles) for group, handles in groups.items()}
    lengths = {group: len(handles) for group, handles in lists.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        found = ", ".join(f"{length} {group}" for group, length in lengths.items()) or "nothing"
        raise InvalidInput(name, wanted="as many of one as of the other, at least one", found=found)
    strangers = [value for handles in lists.values() for value in handles if not isinstance(value, Handle)]
    if strangers:
        raise InvalidInput(
            name, wanted="handles of steps", found=repr(strangers[0])[:80], fix="Make the values in steps."
        )
    return _runner(name).call(Choice(name, lists, by, score, prefer))


def _runner(name: str) -> running.Running:
    now = running.current()
    if now is None:
        raise InvalidInput(
            name,
            wanted="a running pipeline around the call",
            found="none",
            fix="Call it inside a function marked @ms.pipeline and run that.",
        )
    return now
