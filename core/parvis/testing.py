"""Fixtures for the tests of Parvis and of plugins: real databases, a real instance, real requests.

pytest finds them through the `pytest11` entry point. Databases are thrown away: SQLite files are copies of a migrated
one, PostgreSQL is started for the session on a free port as an ordinary user and stopped at its end.
"""

from __future__ import annotations

import asyncio
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from parvis.config import Config, load_config
from parvis.data import bind, open_engine
from parvis.data.migrations import migrate

if TYPE_CHECKING:
    import httpx

    from parvis.data import Engine
    from parvis.site import Site

PASSWORD = "correct horse battery"  # noqa: S105 - of people who live as long as a test
ENGINES = ("sqlite", "postgres")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A throwaway PostgreSQL server."""

    port: int
    folder: Path
    user: str

    def url(self, database: str = "postgres") -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"


def _postgres_programs() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if found:
        return Path(found[-1]).parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    raise RuntimeError("PostgreSQL is not installed: on Debian, apt-get install postgresql")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for the session, quick and forgetful."""
    with running_postgres(durable=False) as server:
        yield server


@contextmanager
def running_postgres(*, durable: bool) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server as long as the block; it runs as `postgres` when started as root.

    Without `durable` it never waits for the disk, which tests need not.
    """
    programs = _postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="parvis-postgres-"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    data, port = folder / "data", free_port()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    subprocess.run(  # noqa: S603 - the server's own program
        [programs / "initdb", "-D", data, "-U", user, "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd=folder, env=environment, **account,
    )  # fmt: skip
    options = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder,
        "max_connections": 200, "log_min_messages": "fatal",
    }  # fmt: skip
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    told = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [programs / "postgres", "-D", data, *told],
            stdout=log, stderr=log, cwd=folder, env=environment, **account,
        )  # fmt: skip
        try:
            _await_postgres(process, data / "postmaster.pid", folder / "log")
            yield PostgresServer(port, folder, user)
        finally:
            # What is thrown away needs no last checkpoint.
            process.send_signal(signal.SIGINT if durable else signal.SIGQUIT)
            process.wait(timeout=20)
            shutil.rmtree(folder, ignore_errors=True)


def _await_postgres(process: subprocess.Popen[bytes], status: Path, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once: {log.read_text()[-2000:]}")
        # The port is open before the server takes connections; its own status file tells when it does.
        if status.exists() and "ready" in status.read_text():
            return
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("PostgreSQL did not answer within 15 s")


async def _migrated(url: str) -> None:
    engine = open_engine(url)
    await engine.start()
    try:
        await migrate(engine, "core", "parvis.data.migrations")
    finally:
        await engine.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "parvis.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Return the name of a migrated database, to be copied."""

    async def make() -> None:
        connection = await asyncpg.connect(postgres_server.url())
        await connection.execute("CREATE DATABASE parvis_template")
        await connection.close()
        await _migrated(postgres_server.url("parvis_template"))

    asyncio.run(make())
    return "parvis_template"


@pytest.fixture(params=ENGINES)
def dialect(request: pytest.FixtureRequest) -> str:
    """Name the engine a test runs on; tests that use it run on each."""
    found: str = request.param
    return found


@pytest.fixture
def empty_database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a fresh, empty database."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return _make_database(server, "template0")


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a fresh database with the core's schema."""
    if dialect == "sqlite":
        path = tmp_path / "parvis.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return _make_database(server, request.getfixturevalue("postgres_template"))


def _make_database(server: PostgresServer, template: str) -> str:
    name = f"test_{secrets.token_hex(6)}"

    async def make() -> None:
        connection = await asyncpg.connect(server.url())
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        await connection.close()

    # A loop of its own, away from the test's: this fixture is synchronous and may run inside a running loop's thread.
    thread_loop = asyncio.new_event_loop()
    try:
        thread_loop.run_until_complete(make())
    finally:
        thread_loop.close()
    return server.url(name)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    """Open the migrated database and bind every table to it."""
    opened = open_engine(database_url)
    await opened.start()
    bind(opened)
    yield opened
    bind(None)
    await opened.stop()


def make_instance(folder: Path, url: str, **settings: dict[str, Any]) -> Config:
    """Write an instance's folder for a database and return its configuration; `settings` are sections."""
    folder.mkdir(parents=True, exist_ok=True)
    sections: dict[str, dict[str, Any]] = {
        "site": {"name": "Essai", "url": "http://localhost:8000"},
        "database": {"url": url},
        "server": {"allowed_hosts": ["localhost", "127.0.0.1", "testserver"]},
    }
    for name, values in settings.items():
        sections.setdefault(name, {}).update(values)
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
    (folder / "parvis.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    key = folder / "secrets.toml"
    key.write_text(f'secret_key = "{secrets.token_hex(32)}"\n', encoding="utf-8")
    key.chmod(0o600)
    return load_config(folder, {})


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int | float) else '"' + str(value).replace('"', '\\"') + '"'


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    """Return the configuration of a fresh instance on a migrated database."""
    return make_instance(tmp_path / "instance", database_url)


@pytest.fixture
async def instance(config: Config) -> AsyncIterator[Site]:
    """Open a fresh instance with the installed plugins enabled."""
    from parvis.app import open_site
    from parvis.plugins.discovery import discover

    # All that is installed, not the product's alone: a plugin is tested without the others.
    async with open_site(config, first=[found.name for found in discover()]) as site:
        await site.plugins.migrate()
        yield site


@dataclass(eq=False)
class Visitor:
    """A browser without script: keeps cookies, sends forms with the page's token."""

    http: httpx.AsyncClient
    token: str = field(default="", init=False)

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        """Open a page and remember its token."""
        response = await self.http.get(path, **kwargs)
        self._learn(response)
        return response

    async def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> httpx.Response:
        """Send a form with the token of the last page seen."""
        if not self.token:
            await self.get("/sign-in")
        response = await self.http.post(path, data={"csrf": self.token, **(data or {})}, **kwargs)
        self._learn(response)
        return response

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in through the form."""
        await self.get("/sign-in")
        response = await self.post("/sign-in", {"email": email, "password": password})
        await self.get("/")
        return response

    def _learn(self, response: httpx.Response) -> None:
        _, found, rest = response.text.partition('name="csrf" value="')
        if found:
            self.token = rest.partition('"')[0]


@pytest.fixture
async def application(instance: Site) -> Any:
    """Return the whole ASGI application of the open instance, outer wrapper and all."""
    from parvis.app import application_of

    return application_of(instance)


@pytest.fixture
async def visit(application: Any) -> AsyncIterator[Callable[[], Visitor]]:
    """Return a maker of visitors, each a browser of its own."""
    import httpx

    clients: list[httpx.AsyncClient] = []

    def make() -> Visitor:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application, raise_app_exceptions=False),
            base_url="http://localhost:8000",
        )
        clients.append(client)
        return Visitor(client)

    yield make
    for client in clients:
        await client.aclose()


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[int]:
    """Serve an instance in a process of its own on a free port and yield the port; for browsers and clients."""
    port = free_port()
    environment = {**os.environ, "PARVIS_SERVER_PORT": str(port), "PARVIS_DIR": str(config.directory)}
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from parvis.cli import main; main()",
        "serve", "--dir", str(config.directory), "--port", str(port),
        env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _await_server(process, port)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


async def _await_server(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(400):
        if process.returncode is not None:
            raise RuntimeError(f"parvis serve ended with {process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("parvis serve did not answer within 20 s")


@pytest.fixture
def engine_calls(instance: Site) -> Callable[[], Any]:
    """Return a context manager that yields the statements run inside it: pages cost a fixed number."""

    @contextmanager
    def noting() -> Iterator[list[str]]:
        engine: Any = instance.engine
        calls: list[str] = []
        within = False

        def noted(plain: Any) -> Any:
            async def run(sql: str, args: Any, **kwargs: Any) -> Any:
                nonlocal within
                if within:  # one way of asking may go through the other
                    return await plain(sql, args, **kwargs)
                calls.append(sql)
                within = True
                try:
                    return await plain(sql, args, **kwargs)
                finally:
                    within = False

            return run

        engine.fetch, engine.fetch_tuples = noted(engine.fetch), noted(engine.fetch_tuples)
        try:
            yield calls
        finally:
            del engine.fetch, engine.fetch_tuples

    return noting
