"""The core's own migrations, and what every migration is written with."""

from parvis.data.described import describe
from parvis.data.runner import MigrationError, applied, migrate, migrations_of, pending
from parvis.data.schema import (
    Column,
    Schema,
    bigint,
    blob,
    boolean,
    double,
    integer,
    json,
    pk,
    ref,
    text,
    timestamptz,
)

__all__ = (
    "Column",
    "MigrationError",
    "Schema",
    "applied",
    "bigint",
    "blob",
    "boolean",
    "describe",
    "double",
    "integer",
    "json",
    "migrate",
    "migrations_of",
    "pending",
    "pk",
    "ref",
    "text",
    "timestamptz",
)
