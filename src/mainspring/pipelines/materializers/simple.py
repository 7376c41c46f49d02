"""Simple types, lists, dictionaries, dataclasses, enumerations and times, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import InvalidInput
from mainspring.kernel.verdicts import Verdict
from mainspring.pipelines.materializers.contract import MaterializerBase
from mainspring.pipelines.model.types import flattened, is_jsonable, rebuilt


class Materializer(MaterializerBase):
    precedence = 0

    def accepts(self, annotation: Any) -> bool:
        return annotation is Verdict or is_jsonable(annotation)

    def kind(self, value: Any) -> str:
        return "verdict" if isinstance(value, Verdict) else "json"

    def dump(self, value: Any, path: Path) -> dict[str, Any]:
        try:
            # Keys keep their order: a dictionary's order is part of what its user sees.
            text = json.dumps(flattened(value), ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            fix = "Use bool, int, float, str, lists and dictionaries with text keys, or a dataclass of those."
            raise InvalidInput("value", wanted="something JSON can hold", found=str(error), fix=fix) from error
        path.write_text(text, encoding="utf-8")
        return {"value": json.loads(text)} if len(text) <= 200 and "NaN" not in text and "Infinity" not in text else {}

    def load(self, path: Path, meta: Mapping[str, Any], wanted: Any) -> Any:
        return rebuilt(json.loads(path.read_text(encoding="utf-8")), wanted)
