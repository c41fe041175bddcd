"""`make bench`: the bars of speed and memory, as ratios of interleaved pairs of one run.

Processor time moves less than the clock on a shared machine: it is printed beside every rate.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from parvis.testing import make_instance, running_postgres

from bench import dataset, explain, load, processes

ROUNDS = 5
SECONDS = 4.0


def main() -> None:
    """Measure on the engines asked for and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--spaces", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--times-ten", action="store_true", help="also with ten times the posts")
    options = parser.parse_args()
    for engine in ("sqlite", "postgres") if options.engine == "both" else (options.engine,):
        with database(engine) as make_url:
            print(
                f"\n== {engine}: {options.members} members, {options.spaces} spaces, {options.posts:,} posts"
            )
            cost = measure(options, engine, make_url(), options.posts)
            if options.times_ten:
                print(f"\n-- {engine}: {10 * options.posts:,} posts")
                large = measure(options, engine, make_url(), 10 * options.posts)
                print(f"home at 10 times the posts: {large / cost:.2f} of the processor time (bar: 1.25)")


@contextmanager
def database(engine: str) -> Iterator[Any]:
    """Yield a maker of addresses of empty databases; PostgreSQL runs with its durable defaults."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="parvis-bench-") as folder:
            numbers = iter(range(100))
            yield lambda: f"sqlite:///{folder}/{next(numbers)}.db"
        return
    with running_postgres(durable=True) as server:
        names = iter(f"bench_{number}" for number in range(100))

        def make() -> str:
            name = next(names)

            async def create() -> None:
                connection = await asyncpg.connect(server.url())
                await connection.execute(f"CREATE DATABASE {name}")
                await connection.close()

            asyncio.run(create())
            return server.url(name)

        yield make


def measure(options: argparse.Namespace, engine: str, url: str, posts: int) -> float:
    """Fill, serve and measure one database; returns the processor time of a warm home page in bare handlers."""
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        unlimited = {"publish": "100000/1m"}
        config = make_instance(folder / "instance", url, limits=unlimited)
        asyncio.run(dataset.prepare(config))
        data = asyncio.run(dataset.fill(config, members=options.members, spaces=options.spaces, posts=posts))
        asyncio.run(explain.report(config))
        with processes.parvis(config.directory) as server:
            print(f"serve to the first 200: {server.started_cpu:.2f} s of processor time (bar: 2.5)")
            asyncio.run(asyncio.sleep(3))
            print(f"idle, one worker: {server.pss():.0f} MB PSS (bar on SQLite: 130)")
            cost = _home(options, folder, server, data)
            _publishing(server, data)
        return cost


def _home(
    options: argparse.Namespace, folder: Path, server: processes.Server, data: dataset.Dataset
) -> float:
    before = server.cpu()
    cold = asyncio.run(load.read(server.port, data.tokens, 1.0))
    print(
        f"home cold (first second): {1000 * (server.cpu() - before) / len(cold.times):.2f} ms of processor time"
    )
    _, body = asyncio.run(load.Connection(server.port).ask(load.get("/", data.tokens[0])))
    (folder / "body").write_bytes(body)
    ratios, ours, theirs, rates = [], [], [], []
    with processes.bare(folder / "body") as bare:
        for _ in range(options.rounds):
            first = _stretch(server, data.tokens, options.seconds, publishing=data.tokens)
            second = _stretch(bare, [], options.seconds)
            ratios.append(first[0] / second[0])
            ours.append(first[1])
            theirs.append(second[1])
            rates.append((first[0], second[0]))
    print(
        f"home: {len(body) / 1000:.0f} kB, {data and len(data.tokens)} readers, 8 connections, one post a second"
    )
    print("  requests a second, pairs:", ", ".join(f"{ours_:.0f}/{bare_:.0f}" for ours_, bare_ in rates))
    print(
        f"  ratio to the bare handler: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}"
        " (bar 0.15, goal 0.3)"
    )
    cpu, bare_cpu = statistics.median(ours), statistics.median(theirs)
    print(f"  processor time a request: {cpu:.2f} ms, bare {bare_cpu:.2f} ms, ratio {bare_cpu / cpu:.3f}")
    return cpu / bare_cpu


def _stretch(
    server: processes.Server, tokens: list[str], seconds: float, *, publishing: list[str] | None = None
) -> tuple[float, float]:
    """Return requests a second and processor milliseconds a request of one stretch."""

    async def both() -> load.Result:
        if not publishing:
            return await load.read(server.port, tokens, seconds)
        result, _ = await asyncio.gather(
            load.read(server.port, tokens, seconds),
            load.publish(server.port, publishing[:1], seconds, connections=1, pause=1.0),
        )
        return result

    before = server.cpu()
    result = asyncio.run(both())
    if result.failed:
        raise RuntimeError(f"{result.failed} of {len(result.times)} requests failed")
    return result.rate, 1000 * (server.cpu() - before) / len(result.times)


def _publishing(server: processes.Server, data: dataset.Dataset) -> None:
    before = server.cpu()
    result = asyncio.run(load.publish(server.port, data.tokens, 8.0))
    cpu = 1000 * (server.cpu() - before) / len(result.times)
    print(
        f"publishing through the form, concurrency 8: {result.rate:.0f} a second (bar 150, goal 300), "
        f"p50 {result.percentile(0.5):.0f} ms, p95 {result.percentile(0.95):.0f} ms, {cpu:.1f} ms of processor time, "
        f"{result.failed} failed"
    )


if __name__ == "__main__":
    main()
