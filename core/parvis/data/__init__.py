"""Data: one database behind Piccolo's tables, with prepared queries, safe transactions and our own migrations."""

from parvis.data.engines import Engine, open_engine
from parvis.data.postgres import PostgresEngine
from parvis.data.prepared import Param, Prepared, PreparedSQL
from parvis.data.sqlite import SQLiteEngine
from parvis.data.tables import Table, bind, bound_engine, known_tables
from parvis.data.transactions import Transaction, after_commit, in_transaction, savepoint, spawn, transaction

__all__ = (
    "Engine",
    "Param",
    "PostgresEngine",
    "Prepared",
    "PreparedSQL",
    "SQLiteEngine",
    "Table",
    "Transaction",
    "after_commit",
    "bind",
    "bound_engine",
    "in_transaction",
    "known_tables",
    "open_engine",
    "savepoint",
    "spawn",
    "transaction",
)
