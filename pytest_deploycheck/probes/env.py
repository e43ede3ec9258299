"""The environment file as it was read on the server, for every probe that compares with it in memory.

    @probe(reads=env.reads, needs=("ssh_gate",), uses={"host": "read"}, ...)
    def mine(target: Target, connect: Connections) -> MyFacts:
        password = env.values(target, connect).get(target.env.redis_password_key)

Values stay in memory: facts get key names, booleans and strengths.
"""

from __future__ import annotations

import re
import shlex

from pytest_deploycheck.observe import CannotLook, Reads
from pytest_deploycheck.redact import url_parts
from pytest_deploycheck.rules.dotenv import Env, parse
from pytest_deploycheck.rules.strength import famous
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.verdict import Reason

SECRET_KEY = re.compile(
    r"(?i)(?:^|_)(?:secret|password|passwd|passphrase|pass|pwd|private|token|mnemonic|seed|credentials?|salt|pepper"
    r"|api_?key|auth_?key|access_?key|signing_?key|encryption_?key|license_?key|key)(?:_|\d*$)"
)
_PUBLIC_KEY = re.compile(
    r"(?i)public|publishable|(?:^|_)pub_|_(?:ttl|id|name|path|file|url|alg|algorithm|expir\w*|issuer)$"
)


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
        raise CannotLook(Reason.NO_ACCESS, f"{place} cannot be read on the server: {why}")
    return done.stdout


def parsed(target: Target, connect: Connections) -> Env:
    """Return the file taken apart; from then on the redactor knows its secrets."""
    found = parse(text(target, connect))
    for name, value in found.values(target.env.reader).items():
        if is_secret(name) and not famous(value):  # taking "secret" out of every text would hide nothing
            connect.learn_secret(value)
        else:
            for part in url_parts(value):
                connect.learn_secret(part)
    return found


def values(target: Target, connect: Connections) -> dict[str, str]:
    """Return the file's values by key, as the application's reader takes them; never for facts."""
    return parsed(target, connect).values(target.env.reader)


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return bool(SECRET_KEY.search(key)) and not _PUBLIC_KEY.search(key)
