"""Health: whether this process lives, and whether it can serve."""

from __future__ import annotations

from litestar import Response, get

from parvis.data import PreparedSQL

_PING = PreparedSQL("SELECT count(*) AS n FROM audience WHERE id = 1")


@get("/health/ready", name="health.ready", opt={"public": True})
async def ready() -> Response[str]:
    """Answer 200 when the database answers; /health/live is answered before any database by the outer wrapper."""
    row = await _PING.one()
    ok = row is not None and row["n"] == 1
    return Response("ok\n" if ok else "no\n", status_code=200 if ok else 503, media_type="text/plain")


handlers = [ready]
