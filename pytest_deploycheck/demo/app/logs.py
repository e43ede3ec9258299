"""Structured logs: one JSON object a line, appended to the instance's file."""

from __future__ import annotations

import json
import logging
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class JsonLog:
    """Writes lines with ts, level, event and service; each line is one write, so that lines never mix."""

    def __init__(self, path: Path, service: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._service = service
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def write(self, level: str, event: str, **fields: Any) -> None:
        """Write one line; fields that are None are left out."""
        line = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "service": self._service,
            **{name: value for name, value in fields.items() if value is not None},
        }
        os.write(self._file, json.dumps(line, default=str).encode() + b"\n")

    def exception(self, event: str, error: BaseException, **fields: Any) -> None:
        """Write an error with its stack but without its message, which may hold a secret."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        stack = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        self.write("error", event, error=type(error).__name__, stack=stack, **fields)


class LoggingBridge(logging.Handler):
    """Takes what libraries log and writes it as JSON."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of the standard library's logging."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.exception(record.name, error)
        else:
            self._log.write(record.levelname.lower(), record.name, message=record.getMessage()[:500])
