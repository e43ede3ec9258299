"""The environment file as it was read on the server, for every probe that compares with it in memory.

    @probe(reads=env.reads, needs=("ssh_gate",), uses={"host": "read"}, ...)
    def mine(target: Target, connect: Connections) -> MyFacts:
        password = env.values(target, connect).get(target.env.redis_password_key)

Values stay in memory: facts get key names, booleans and strengths.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Reads
from pytest_deploycheck.redact import url_parts
from pytest_deploycheck.rules.dotenv import Env, parse
from pytest_deploycheck.rules.env_names import guess
from pytest_deploycheck.rules.strength import famous
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


class NoFile(CannotLook):
    """The file that the target names does not exist on the server."""


def path(target: Target) -> str:
    """Return where the file is on the server, empty when nothing tells."""
    if target.env.path:
        return target.env.path
    return f"{target.repo.path.rstrip('/')}/.env" if target.repo.path else ""


def command(target: Target) -> str:
    """Return the command that prints the file."""
    return f"cat {shlex.quote(path(target))}"


def reads(target: Target) -> Reads:
    """Return what is read on the server for `values`."""
    return Reads(main=(command(target),) if path(target) and target.env.rendered is None else ())


def stat_command(target: Target) -> str:
    """Return the command that tells mode, owner, group and time of the file."""
    return f"stat -L --format=%a:%U:%G:%Y {shlex.quote(path(target))}"


def stat_reads(target: Target) -> Reads:
    """Return what is read on the server about the file itself; nothing where there is none."""
    return Reads(main=(stat_command(target),) if reads(target).main else ())


def text(target: Target, connect: Connections) -> str:
    """Return the file's text; CannotLook says what to configure or to grant."""
    if target.env.rendered is not None:
        return connect.secret(target.env.rendered)
    place = path(target)
    if not place:
        raise CannotLook(Reason.NO_CONFIG, f"no env.path in {target.path.name}; add it, or env.rendered")
    done = connect.read(command(target))
    if done.status != 0:
        why = done.stderr.strip().rpartition(": ")[2] or f"cat ends with {done.status}"
        if "No such file" in why:
            raise NoFile(Reason.NO_EVIDENCE, f"{place} does not exist on the server")
        raise CannotLook(Reason.NO_ACCESS, f"{place} cannot be read on the server: {why}")
    return done.stdout


def parsed(target: Target, connect: Connections) -> Env:
    """Return the file taken apart; from then on the redactor knows its secrets."""
    found = parse(text(target, connect))
    learn(target, connect, found.values(target.env.reader))
    return found


def learn(target: Target, connect: Connections, have: Mapping[str, str]) -> None:
    """Tell the redactor of every secret among some values, and of the credentials in addresses."""
    for name, value in have.items():
        if is_secret(target, name):
            parts = {value} if not famous(value) else set()  # hiding the word "secret" would hide nothing
        else:
            parts = url_parts(value) if kind(target, name) != "origins" else set()
        for part in parts:
            connect.learn_secret(part)


def values(target: Target, connect: Connections) -> dict[str, str]:
    """Return the file's values by key, as the application's reader takes them; never for facts."""
    return parsed(target, connect).values(target.env.reader)


def kind(target: Target, key: str) -> str:
    """Return a key's type: as the target file says, by what it names the key for, or as the key's name tells."""
    section = target.env
    named = {
        section.jwt_secret_key: "secret",
        section.signer_key: "signer",
        section.rpc_url_key: "url",
        section.dsn_key: "url",
        section.cors_key: "origins",
        **dict.fromkeys(section.contract_keys, "address"),
    }
    return section.types.get(key) or named.get(key) or guess(key)


def is_secret(target: Target, key: str) -> bool:
    """Whether a key's value is a secret as a whole."""
    return kind(target, key).partition(" ")[0] in ("secret", "signer", "hex32")
