"""Importing this loads every materializer: for the process that step processes are forked from."""

from __future__ import annotations

from mainspring.kernel import plugins
from mainspring.pipelines.materializers.contract import KIND, materializer

# Looking for plug-ins reads the metadata of everything that is installed: once, and not once a step.
LOADED = tuple(materializer(name) for name in plugins.names(KIND))
