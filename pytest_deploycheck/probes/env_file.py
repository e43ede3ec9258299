"""The environment file on the server: how it is written, whose it is, what its template wants, and what Git knows."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_deploycheck.observe import Reads, probe
from pytest_deploycheck.probes import env, evm
from pytest_deploycheck.probes.env_facts import EnvFileFacts, FileState, GitState, Key, SecretStrength
from pytest_deploycheck.rules.dotenv import parse
from pytest_deploycheck.rules.env_types import PRODUCTION, Expected, judge
from pytest_deploycheck.rules.placeholders import placeholder
from pytest_deploycheck.rules.strength import alphabet_bits, same, strength

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

LOOKS_SECRET_BITS = 100
"""From here on a value that nobody declared looks as if a generator had made it (own)."""
_LOOKS_SECRET = re.compile(r"[\w+/=-]{24,}")
_NO_SECRET = re.compile(
    r"(?i)commit|sha|hash|digest|checksum|fingerprint|version|release|revision|build|public|uuid|(?:^|_)id$|address"
)


def _templates(target: Target) -> tuple[str, ...]:
    """Return where on the server the template may be."""
    name = target.env.template
    if not name or name.startswith("/"):
        return (name,) if name else ()
    folders = (posixpath.dirname(env.path(target)), target.repo.path.rstrip("/"))
    return tuple(dict.fromkeys(f"{folder}/{name}" for folder in folders if folder))


def _git(target: Target) -> tuple[str, str, tuple[str, ...]]:
    """Return the checkout, the file's path in it, and the three commands that ask about it."""
    checkout = target.repo.path.rstrip("/")
    inside = env.path(target).startswith(f"{checkout}/")
    file = env.path(target)[len(checkout) + 1 :] if inside else ".env"
    git = f"git -c safe.directory={checkout} -C {checkout}"
    asked = (f"ls-files --error-unmatch {file}", f"check-ignore --no-index {file}")
    return checkout, file, tuple(f"{git} {one}" for one in (*asked, f"log --all --format=%h -1 -- {file}"))


def reads(target: Target) -> Reads:
    """Return all that is read on the server."""
    own = (*env.reads(target).main, *env.stat_reads(target).main)
    git = _git(target)[2] if target.repo.path else ()
    return Reads(main=(*own, *(f"cat {one}" for one in _templates(target)), *git))


@probe(
    facts=EnvFileFacts, deadline=20, needs=("ssh_gate",), uses={"host": "read", "files": "read"}, reads=reads
)
def env_file(target: Target, connect: Connections) -> EnvFileFacts:
    """Read the environment file, its template, its mode and what Git knows of it; no value leaves the process."""
    section = target.env
    try:
        found, exists = env.parsed(target, connect), True
    except env.NoFile:
        found, exists = parse(""), False
    values = found.values(section.reader)
    place, text, looked = _template(target, connect)
    template = parse(text).values(section.reader) if text else {}
    file, why = (None, "") if section.rendered is not None else state(target, connect)
    git, git_why = _git_state(target, connect)
    secrets = dict(_secrets(target, values))
    context = _context(target)
    return EnvFileFacts(
        path=env.path(target),
        exists=exists,
        rendered=section.rendered is not None,
        reader=section.reader,
        file=file,
        file_problem=why,
        template=place,
        template_looked=looked,
        template_keys=tuple(template),
        missing=tuple(key for key in template if key not in values and key not in section.optional),
        extra=tuple(
            key for key in values if place and key not in template and key not in section.allow_extra
        ),
        issues=found.problems(section.reader),
        keys=tuple(_key(target, name, value, template.get(name, "")) for name, value in values.items()),
        strengths=tuple(SecretStrength(name, strength(value, context)) for name, value in secrets.items()),
        same=same(secrets),
        git=git,
        git_problem=git_why,
    )


def expected(target: Target) -> Expected:
    """Return what values must be like in this deployment."""
    environment, contract = target.target.environment, target.contract
    known = (contract.address, target.signer.address)
    return Expected(
        modes=PRODUCTION if environment == "production" else tuple(dict.fromkeys((*PRODUCTION, environment))),
        chain_id=contract.chain_id if contract.enabled else 0,
        tests=environment in ("testnet", "staging", "dev"),
        internal=tuple(target.env.internal_hosts),
        addresses=tuple(address.lower() for address in known if address),
        checksum=evm.checksum,
    )


def _key(target: Target, name: str, value: str, template: str) -> Key:
    kind = env.kind(target, name)
    still = placeholder(value, target.env.placeholder_patterns)
    given_away = value == template and value != "" and env.is_secret(target, name)
    return Key(
        name=name,
        type=kind,
        wrong=judge(kind, value, expected(target)) if value and not still else "",
        empty=value == "" and kind != "debug",
        placeholder=still,
        templates=given_away or (still and value == template),
        looks_secret=kind == "text"
        and name not in target.env.types
        and not _NO_SECRET.search(name)
        and bool(_LOOKS_SECRET.fullmatch(value))
        and len(value) * alphabet_bits(value) >= LOOKS_SECRET_BITS,
        optional=name in target.env.optional,
    )


def _secrets(target: Target, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if env.is_secret(target, name) and value and "\n" not in value:
            yield name, value
        elif "://" in value and "@" in value:
            password = urlsplit(value).password
            if password:
                yield f"{name} password", unquote(password)


def _context(target: Target) -> tuple[str, ...]:
    """Return the words that an attacker of this deployment would try first."""
    host = target.target.base_url.partition("://")[2].partition(":")[0].partition("/")[0]
    labels = [label for label in host.split(".")[:-1] if len(label) > 4]
    return (*target.secrets.context_words, *labels)


def _template(target: Target, connect: Connections) -> tuple[str, str, tuple[str, ...]]:
    """Return where the template is, its text, and all places where it was looked for."""
    places = _templates(target)
    for place in places:
        done = connect.read(f"cat {place}")
        if done.status == 0:
            return place, done.stdout, places
    if not target.env.template:
        return "", "", places
    folder = target.path.parent
    local = [folder / target.env.template, folder.parent / target.env.template]
    for path in local:
        if path.is_file():
            return str(path), path.read_text(encoding="utf-8", errors="replace"), places
    return "", "", (*places, *map(str, local))


def state(target: Target, connect: Connections) -> tuple[FileState | None, str]:
    """Return mode, owner, group and time of the file, or why they cannot be read."""
    path = env.path(target)
    done = connect.read(env.stat_command(target))
    found = re.fullmatch(r"([0-7]{3,4}):([^:]+):([^:]+):(\d+)", done.stdout.strip())
    if done.status != 0 or found is None:
        return None, f"stat {path} on the server: {(done.stderr or done.stdout).strip()[:160]}"
    user = re.match(r"\w+://([^@/]+)@", target.host.uri if target.host else "")
    owners = (target.env.owner,) if target.env.owner else tuple({"root", user[1]} if user else ())
    return (
        FileState(
            mode=int(found[1], 8),
            owner=found[2],
            group=found[3],
            modified_at=datetime.fromtimestamp(int(found[4]), UTC).isoformat(),
            owners=tuple(sorted(owners)),
            groups=tuple(dict.fromkeys(("root", "wheel", *sorted(owners), *target.env.groups))),
        ),
        "",
    )


def _git_state(target: Target, connect: Connections) -> tuple[GitState | None, str]:
    if not target.repo.path:
        return None, f"no repo.path in {target.path.name}; add the checkout on the server"
    checkout, file, commands = _git(target)
    tracked, ignored, log = (connect.read(command) for command in commands)
    if log.status != 0:
        return None, f"git in {checkout}: {log.stderr.strip()[:160] or f'status {log.status}'}"
    found = GitState(checkout, file, tracked.status == 0, ignored.status == 0, log.stdout.strip()[:40])
    return found, ""
