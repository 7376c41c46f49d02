"""Where the code stands in Git: commit, branch, remote, and the patch of what is not committed."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CREDENTIALS = re.compile(r"(?<=://)[^/@]+@")
_PATCH_LIMIT_BYTES = 20 << 20


@dataclass(frozen=True)
class GitState:
    """commit, branch, remote (without credentials); patch: `git diff HEAD`, empty where the tree is clean.

    untracked        files Git does not know and does not ignore: their content is not in the patch.
    patch_truncated  the patch was over 20 MB and only its beginning is kept.
    """

    commit: str
    branch: str | None
    remote: str | None
    is_dirty: bool
    untracked: tuple[str, ...]
    patch: str
    patch_truncated: bool


def git_state(folder: Path) -> GitState | None:
    """The state of the repository `folder` lies in; None where it lies in none or Git is not there."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    patch = _git(folder, "diff", "HEAD", "--binary") or ""
    untracked = tuple((_git(folder, "ls-files", "--others", "--exclude-standard") or "").splitlines())
    branch = (_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or "").strip()
    remote = (_git(folder, "remote", "get-url", "origin") or "").strip()
    return GitState(
        commit=commit.strip(),
        branch=None if branch in ("", "HEAD") else branch,
        remote=_CREDENTIALS.sub("", remote) or None,
        is_dirty=bool(patch or untracked),
        untracked=untracked[:1000],
        patch=patch[:_PATCH_LIMIT_BYTES],
        patch_truncated=len(patch) > _PATCH_LIMIT_BYTES,
    )


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
