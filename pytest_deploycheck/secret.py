"""Secrets by reference: a target file names where a secret is, never the secret itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

COMMAND_TIMEOUT_S = 10.0
_WAYS = '{ env = "NAME" }, { file = "path" } or { command = ["program", "argument"] }'


class SecretUnavailable(Exception):
    """The place a reference names holds no secret; the message names the place, never a value."""


class SecretRef:
    """A reference to a secret: an environment variable, a file beside the target file, or a command."""

    def __init__(self, kind: str, place: str | list[str]) -> None:
        self.kind = kind
        self.place = place
        self.base = Path()

    def __repr__(self) -> str:
        """Show where the secret is, not what it is."""
        return f"SecretRef({self.kind}={self.place!r})"

    __str__ = __repr__

    def resolve(self) -> SecretStr:
        """Return the secret, surrounding newlines removed; raise SecretUnavailable when there is none."""
        text = {"env": self._env, "file": self._file, "command": self._command}[self.kind]()
        if not text:
            raise SecretUnavailable(f"the secret at {self.kind} {self.place!r} is empty")
        return SecretStr(text)

    def _env(self) -> str:
        value = os.environ.get(str(self.place))
        if value is None:
            raise SecretUnavailable(f"environment variable {self.place} is not set; export it before the run")
        return value.strip("\r\n")

    def _file(self) -> str:
        path = self.base / str(self.place)
        try:
            return path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretUnavailable(f"secret file {path} cannot be read: {why}") from None

    def _command(self) -> str:
        argv = self.place if isinstance(self.place, list) else ["/bin/sh", "-c", self.place]
        name = argv[0] if isinstance(self.place, list) else self.place
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SecretUnavailable(f"secret command {name!r}: {type(error).__name__}") from None
        if done.returncode != 0:
            raise SecretUnavailable(f"secret command {name!r} ended with status {done.returncode}")
        return done.stdout.strip("\r\n")

    @classmethod
    def parse(cls, value: Any) -> SecretRef:
        """Read a reference from a target file; a literal secret is refused without being repeated."""
        if isinstance(value, cls):
            return value
        if isinstance(value, dict) and len(value) == 1:
            kind, place = next(iter(value.items()))
            listed = isinstance(place, list) and all(isinstance(word, str) for word in place) and place
            if kind in ("env", "file") and isinstance(place, str) and place:
                return cls(kind, place)
            if kind == "command" and ((isinstance(place, str) and place) or listed):
                return cls(kind, place)
        raise ValueError(f"a secret is given by reference only: {_WAYS}")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read and show references."""
        parse: Callable[[Any], SecretRef] = cls.parse
        return core_schema.no_info_plain_validator_function(
            parse, serialization=core_schema.plain_serializer_function_ser_schema(repr)
        )
