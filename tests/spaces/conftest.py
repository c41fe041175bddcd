"""Fixtures of the tests of spaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from parvis.data import bound_engine


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[list[str]]]:
    """Return a block that lists the statements the database is asked inside it."""

    @contextmanager
    def watch() -> Iterator[list[str]]:
        engine, seen = bound_engine(), []
        fetch = engine.fetch

        async def noting(sql: str, args: Any, **kwargs: Any) -> list[dict[str, Any]]:
            seen.append(sql)
            return await fetch(sql, args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(engine, "fetch", noting)
            yield seen

    return watch
