"""How many queries a page costs, and how the database means to run the lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
from parvis.app import application_of, open_site
from parvis.config import Config
from parvis.data import bound_engine
from parvis.people.sessions import open_session


async def report(config: Config) -> None:
    """Print the queries of a warm home page and their plans."""
    async with open_site(config) as site:
        app = application_of(site)
        token = await open_session(7, "bench", "127.0.0.1")
        asked = await _queries_of_home(app, token)
        print(f"queries of a warm home page: {len(asked)}")
        for sql, args in asked:
            if "FROM content" in sql and "LIMIT" in sql:
                for line in await _plan(sql, args):
                    print("   ", line)


async def _queries_of_home(app: Any, token: str) -> list[tuple[str, Any]]:
    engine = bound_engine()
    asked: list[tuple[str, Any]] = []
    plain, plain_tuples = engine.fetch, engine.fetch_tuples

    async def noting(sql: str, args: Any, **kwargs: Any) -> Any:
        asked.append((sql, args))
        return await plain(sql, args, **kwargs)

    async def noting_tuples(sql: str, args: Any, **kwargs: Any) -> Any:
        engine.fetch = plain  # type: ignore[method-assign]
        asked.append((sql, args))
        found = await plain_tuples(sql, args, **kwargs)
        engine.fetch = noting  # type: ignore[method-assign]
        return found

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", cookies={"parvis_session": token}
    ) as http:
        await http.get("/")
        engine.fetch, engine.fetch_tuples = noting, noting_tuples  # type: ignore[method-assign]
        try:
            answer = await http.get("/")
        finally:
            engine.fetch, engine.fetch_tuples = plain, plain_tuples  # type: ignore[method-assign]
    answer.raise_for_status()
    return asked


async def _plan(sql: str, args: Any) -> list[str]:
    engine = bound_engine()
    if engine.dialect == "sqlite":
        rows = await engine.fetch("EXPLAIN QUERY PLAN " + sql, args)
        return [row["detail"] for row in rows]
    # The plan that prepared statements keep, whatever the values.
    await engine.fetch("PREPARE bench_plan AS " + sql, ())
    rows = await engine.fetch(f"EXPLAIN EXECUTE bench_plan ({', '.join(_literal(arg) for arg in args)})", ())
    await engine.fetch("DEALLOCATE bench_plan", ())
    return [row["QUERY PLAN"] for row in rows if "Filter" not in row["QUERY PLAN"]]


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "'{" + ",".join(str(item) for item in value) + "}'"
    return f"'{value}'" if isinstance(value, str | datetime) else str(value)
