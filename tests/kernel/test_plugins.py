from __future__ import annotations

import pytest

from mainspring.kernel import plugins
from mainspring.kernel.errors import NotFound


def test_a_file_in_the_folder_is_a_plugin_and_its_name_is_public() -> None:
    assert "sqlite" in plugins.names("mainspring.engines.sql")
    assert not {"contract", "_migration"} & set(plugins.names("mainspring.engines.sql"))
    assert plugins.load("mainspring.engines.blobs", "folder").open_engine


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="wanted one of .*sqlite"):
        plugins.load("mainspring.engines.sql", "oracle")
