"""One byte string per value: what hashes, chains and caches are computed over."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys, no spaces, UTF-8.

    NaN and infinities become the texts "NaN", "Infinity", "-Infinity" (JSON has no numbers for
    them); datetimes become ISO 8601 in UTC; dataclasses become objects; sets are refused, because
    their order is not defined.
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def plain(value: Any) -> Any:
    """`value` in JSON's own types, by the rules of `canonical`."""
    match value:
        case None | bool() | str():
            return value.value if isinstance(value, Enum) else value
        case Enum():
            return plain(value.value)
        case int():
            return int(value)
        case float():
            if math.isfinite(value):
                return float(value)
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case bytes():
            return value.hex()
        case Sequence():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return plain(asdict(value))
    raise TypeError(f"no canonical form for {type(value).__name__}")


def digest(value: Any) -> str:
    """sha-256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
