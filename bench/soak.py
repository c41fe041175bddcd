"""`make soak`: mixed load for an hour, with reloads and kills, watching memory, errors and lost posts.

Members read home, spaces, profiles and the directory while some publish. Each minute the workers are replaced in
turn (SIGHUP), or one is killed outright. What is counted at the end: answers that failed outside of those moments,
posts that were acknowledged and are gone (must be none), and how far memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import secrets
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from parvis.app import open_site
from parvis.config import Config
from parvis.data import PreparedSQL
from parvis.testing import make_instance

from bench import dataset, load, processes
from bench.__main__ import database

GRACE = 3.0
"""Seconds after a kill during which requests may fail: the worker that held them is gone."""
_POSTED = PreparedSQL("SELECT key FROM content WHERE key IS NOT NULL")
_ADDRESSES = re.compile(rb'href="(/(?:spaces|people|c)/[a-z0-9-]+)"')


@dataclass(slots=True)
class Count:
    """What the soak has seen so far."""

    requests: int = 0
    failed: int = 0
    excused: int = 0
    acknowledged: set[str] = field(default_factory=set)
    killed: float = 0.0
    kills: int = 0
    reloads: int = 0

    def failure(self, what: str) -> None:
        """Count a failure; one shortly after a kill is excused."""
        if time.monotonic() - self.killed < GRACE:
            self.excused += 1
        else:
            self.failed += 1
            print(f"  failed: {what}", flush=True)


def main() -> None:
    """Run the soak and print a line a minute; exit code 1 when anything was lost or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two disturbances")
    options = parser.parse_args()
    with database(options.engine) as make_url, tempfile.TemporaryDirectory(prefix="parvis-soak-") as name:
        config = make_instance(Path(name) / "instance", make_url(), limits={"publish": "100000/1m"})
        asyncio.run(dataset.prepare(config))
        data = asyncio.run(dataset.fill(config, members=200, spaces=20, posts=options.posts))
        count = Count()
        with processes.parvis(config.directory, workers=options.workers) as server:
            grown = asyncio.run(_soak(options, server, data.tokens, count))
        lost = len(count.acknowledged - asyncio.run(_kept(config)))
    print(
        f"{count.requests:,} requests, {count.failed} failed ({count.excused} more within {GRACE:g} s of a kill); "
        f"{count.reloads} reloads, {count.kills} kills; {len(count.acknowledged):,} posts acknowledged, {lost} lost; "
        f"memory {grown:+.0f} MB since the second minute"
    )
    raise SystemExit(1 if lost or count.failed else 0)


async def _kept(config: Config) -> set[str]:
    async with open_site(config):
        return {row["key"] for row in await _POSTED()}


async def _soak(
    options: argparse.Namespace, server: processes.Server, tokens: list[str], count: Count
) -> float:
    end = time.monotonic() + 60 * options.minutes
    tasks = [asyncio.create_task(_reader(server.port, tokens, count, end)) for _ in range(6)]
    tasks += [asyncio.create_task(_writer(server.port, tokens, count, end)) for _ in range(2)]
    settled, latest, minute = None, 0.0, 0
    while time.monotonic() < end:
        await asyncio.sleep(min(options.every, max(0.0, end - time.monotonic())))
        minute += 1
        latest = server.pss()
        print(
            f"{minute:4d}: {count.requests:9,} requests, {count.failed} failed, {latest:.0f} MB", flush=True
        )
        if minute == 2:
            settled = latest
        if time.monotonic() < end - 10:
            _disturb(server, count, minute)
    await asyncio.gather(*tasks)
    return latest - (settled if settled is not None else latest)


def _disturb(server: processes.Server, count: Count, minute: int) -> None:
    if minute % 3:
        count.reloads += 1
        server.process.send_signal(signal.SIGHUP)
        return
    workers = [pid for pid in server.family() if pid != server.process.pid]
    if workers:
        count.kills += 1
        count.killed = time.monotonic()
        os.kill(random.choice(workers), signal.SIGKILL)


async def _reader(port: int, tokens: list[str], count: Count, end: float) -> None:
    connection, addresses = load.Connection(port), ["/"]
    while time.monotonic() < end:
        token = random.choice(tokens)
        path = random.choice(["/", "/", "/people", "/spaces", random.choice(addresses)])
        try:
            status, body = await connection.ask_again(load.get(path, token))
        except (OSError, EOFError, ValueError) as error:
            connection.close()
            connection = load.Connection(port)
            count.failure(f"GET {path}: {error!r}")
            await asyncio.sleep(0.2)
            continue
        count.requests += 1
        # 302 and 404: this member may not know of the space another one's page led to.
        if status not in (200, 302, 404):
            count.failure(f"GET {path}: {status}")
        if path == "/":
            addresses = [found.decode() for found in _ADDRESSES.findall(body)][:40] or ["/"]
    connection.close()


async def _writer(port: int, tokens: list[str], count: Count, end: float) -> None:
    connection = load.Connection(port)
    forms: dict[str, str] = {}
    while time.monotonic() < end:
        token, key = random.choice(tokens[:20]), secrets.token_hex(8)
        try:
            if token not in forms:
                forms[token] = await load.form_token(port, token)
            fields = {
                "csrf": forms[token],
                "key": key,
                "audience": "everyone",
                "title": "",
                "text": f"Essai {key}",
            }
            status, _ = await connection.ask_again(load.post("/feeds/posts", token, fields))
        except (OSError, EOFError, ValueError, RuntimeError) as error:
            connection.close()
            connection = load.Connection(port)
            count.failure(f"POST: {error!r}")
            await asyncio.sleep(0.2)
            continue
        count.requests += 1
        if status == 303:
            count.acknowledged.add(key)
        else:
            count.failure(f"POST: {status}")
        await asyncio.sleep(0.05)
    connection.close()


if __name__ == "__main__":
    main()
