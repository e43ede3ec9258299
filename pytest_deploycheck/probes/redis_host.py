"""The redis_host probe: whether what protects the cache outlives its restart, and is what the application knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.probes.contexts import words
from pytest_deploycheck.rules import redis_conf
from pytest_deploycheck.rules.strength import strength
from pytest_deploycheck.transports.resp import Refused, Resp
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

USUAL = (
    "/etc/redis/redis.conf",
    "/etc/redis/users.acl",
    "/etc/valkey/valkey.conf",
    "/etc/valkey/users.acl",
)
_USERS = ("REDIS_USER", "REDIS_USERNAME", "VALKEY_USER", "VALKEY_USERNAME")
_URLS = ("REDIS_URL", "VALKEY_URL", "CACHE_URL", "REDIS_TLS_URL")
_CONTAINERS = "docker inspect $(docker ps --all --quiet --no-trunc)"
_SERVER = re.compile(r"(?i)\b(?:redis|valkey|keydb|dragonfly)")
_NO_CLIENT = re.compile(r"(?i)exporter|commander|insight|sentinel")


@dataclass(frozen=True)
class RedisHostFacts:
    """The cache as its own machine and the application's environment file have it.

    key: the environment file's.  env: the first word of the answer to its password, "none" when the file
    gives none; None when the file could not be read, and env_why says why.  faults: what makes that password
    easy to guess.  runs_from: the configuration and
    ACL files that the server names.  read: those that could be read, and containers that were looked at.
    kept_in: which of those give the password that works to the user who it is of; empty when none does.
    includes: some of the files take in others, which were not read.  why: what stood in the way.
    """

    user: str
    key: str
    env: str | None
    env_why: str
    faults: tuple[str, ...]
    runs_from: tuple[str, ...]
    read: tuple[str, ...]
    kept_in: tuple[str, ...]
    includes: bool
    why: str


def _reads(target: Target) -> Reads:
    files = (*USUAL, *(target.redis.config_files if target.redis else ()))
    commands = (*(_cat(file) for file in files), _CONTAINERS)
    return Reads(main=(*commands, *env.reads(target).main))


@probe(
    facts=RedisHostFacts,
    deadline=30,
    needs=("redis_gate",),
    after=("ssh_gate",),
    uses={"redis": "read login", "host": "read"},
    reads=_reads,
)
def redis_host(target: Target, connect: Connections) -> RedisHostFacts:
    """Log in with the environment file's password, and look for it in the files that the cache starts from."""
    resp = connect.resp()
    user, password, env_why = _declared(target, connect, resp)
    answer = None if env_why else (resp.auth(password, user) if password else "none")
    if env_why:  # what is not known of the application is looked at for the checks' own user
        user, password = resp.place.user, resp.place.password
    resp.close()
    if resp.place.password:
        resp.auth(resp.place.password, resp.place.user)
    named = tuple(_named(resp))
    files, why = _files(connect, named, target)
    containers = tuple(_containers(connect, password))
    kept = [place for place, text in files.items() if redis_conf.keeps(text, user or "default", password)]
    weighed = strength(password, words(target, user)) if answer == "OK" else None
    return RedisHostFacts(
        user=user or "default",
        key=target.env.redis_password_key,
        env=answer,
        env_why=env_why,
        faults=weighed.faults(target.limits.secret_min_bits) if weighed else (),
        runs_from=named,
        read=(*files, *(name for name, _ in containers)),
        kept_in=(*kept, *(name for name, keeps in containers if keeps)),
        includes=any(redis_conf.includes(text) for text in files.values()),
        why=why,
    )


def _declared(target: Target, connect: Connections, resp: Resp) -> tuple[str, str, str]:
    """Return user and password of the application, or why its environment file tells none."""
    try:
        values = env.values(target, connect)
    except CannotLook as why:
        return "", "", why.message
    value = values.get(target.env.redis_password_key, "")
    if "://" in value:
        url = urlsplit(value)
        return unquote(url.username or ""), unquote(url.password or ""), ""
    if not value:  # an address of its own may hold all
        url = urlsplit(next((values[name] for name in _URLS if "@" in values.get(name, "")), ""))
        return unquote(url.username or ""), unquote(url.password or ""), ""
    user = next((values[name] for name in _USERS if values.get(name)), "")
    if not user:
        user = unquote(urlsplit(next((values[n] for n in _URLS if values.get(n)), "")).username or "")
    if not user and value == resp.place.password:
        user = resp.place.user
    return user, value, ""


def _named(resp: Resp) -> Iterator[str]:
    """Yield the files that the server says it started from."""
    try:
        info = str(resp.ask("INFO", "server"))
        found = re.search(r"(?m)^config_file:(/.*?)\r?$", info)
        if found:
            yield found[1]
        pairs = resp.ask("CONFIG", "GET", "aclfile")
        if isinstance(pairs, list) and len(pairs) > 1 and str(pairs[1]).startswith("/"):
            yield str(pairs[1])
    except Refused:
        return


def _files(connect: Connections, named: tuple[str, ...], target: Target) -> tuple[dict[str, str], str]:
    """Return the texts of the named files, found on the machine itself or where a container has them from."""
    found: dict[str, str] = {}
    why = "" if named else "the server names no configuration file"
    mounts = dict(_mounts(connect))
    declared = {path.rpartition("/")[2]: path for path in (target.redis.config_files if target.redis else ())}
    for file in named:
        places = (mounts.get(file), declared.get(file.rpartition("/")[2]), file)
        for place in filter(None, places):
            try:
                done = connect.read(_cat(place))
            except CannotLook as error:
                why = error.message
                continue
            if done.status == 0:
                found[file] = done.stdout
                break
            why = done.stderr.strip()[:200]
    return found, "" if len(found) == len(named) and named else why


def _inspected(connect: Connections) -> list[dict[str, Any]]:
    try:
        found = safe_json.loads(connect.read(_CONTAINERS).stdout or "[]")
    except (ValueError, CannotLook):
        return []
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return [row for row in rows if _is_server(str((row.get("Config") or {}).get("Image", "")))]


def _is_server(image: str) -> bool:
    return bool(_SERVER.search(image)) and not _NO_CLIENT.search(image)


def _mounts(connect: Connections) -> Iterator[tuple[str, str]]:
    """Yield (path in a container of the cache, path on the machine) of single mounted files."""
    for row in _inspected(connect):
        for mount in row.get("Mounts") or ():
            yield str(mount.get("Destination", "")), str(mount.get("Source", ""))


def _containers(connect: Connections, password: str) -> Iterator[tuple[str, bool]]:
    """Yield each container of the cache, and whether its arguments or its environment give the password."""
    for row in _inspected(connect):
        config = row.get("Config") or {}
        words = [str(word) for word in (row.get("Path"), *(row.get("Args") or ())) if word]
        values = [str(entry).partition("=")[2] for entry in config.get("Env") or ()]
        asked = any("requirepass" in word for word in words)
        given = password and (
            any(password in word.split() or password == word for word in words) or password in values
        )
        yield str(row.get("Name", "")).lstrip("/"), bool(given and (asked or password in values))


def _cat(path: str) -> str:
    if not re.fullmatch(r"/[\w./@+-]*", path):
        raise CannotLook(Reason.NOT_ALLOWED, f"{path[:80]!r} is no path that is read on a server")
    return f"cat {shlex.quote(path)}"
