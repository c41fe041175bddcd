"""How every process of the server logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from parvis.config import LogSection


def logging_config(log: LogSection) -> dict[str, Any]:
    """Return the logging set-up of every process: one line a record on stderr, for people or machines."""
    level = log.level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {"()": "parvis.cli.logs.JsonLines"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": log.format,
            }
        },
        "root": {"handlers": ["console"], "level": level if level != "DEBUG" else "INFO"},
        "loggers": {
            "parvis": {"level": level},
            "_granian": {"level": "WARNING"},
            "piccolo": {"level": "WARNING"},
        },
    }


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC, RFC 3339), level, logger, message, traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
