"""The yardstick: a bare Litestar handler that answers the same bytes from memory."""

from __future__ import annotations

import os
from pathlib import Path

from litestar import Litestar, Response, get

BODY = Path(os.environ["PARVIS_BENCH_BODY"]).read_bytes() if "PARVIS_BENCH_BODY" in os.environ else b""


@get("/")
async def answer() -> Response[bytes]:
    return Response(BODY, media_type="text/html; charset=utf-8")


app = Litestar([answer], openapi_config=None, logging_config=None)
