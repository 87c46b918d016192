"""What holds for all tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def activated() -> Iterator[None]:
    """The environment of these tests is activated, so that commands are shown by their plain names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole searches: they take longest, and at the end one process would wait for them."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)
