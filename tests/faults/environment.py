"""Faults of Environment Configuration: the environment file, as it is written, kept and loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.repository import git
from tests.faults.containers import deployed
from tests.faults.environment_tools import FILE, VALUES, appended, having, restored, rewritten
from tests.faults.functional import served
from tests.faults.harness import fault
from tests.faults.tools import edited

READ = ("env_file",)
LOADED = ("env_loaded",)
WIRE = ("env_wire",)
SERVER = ("server",)
REPOSITORY = ("server", "repository")
CONTAINERS = ("server", "containers")


@fault(FILE, "a key of the template is missing", probes=READ, needs=SERVER)
@contextmanager
def key_missing(demo: Deployment) -> Iterator[None]:
    """Forget a key."""
    with having(demo, SMTP_PASSWORD=None):
        yield


@fault(FILE, "the template's placeholder stayed", probes=READ, also=(VALUES,), needs=SERVER)
@contextmanager
def placeholder_stayed(demo: Deployment) -> Iterator[None]:
    """Copy the template and overlook a line."""
    with having(demo, SMTP_PASSWORD="CHANGE_ME"):
        yield


@fault(FILE, "the template gives a secret away", probes=READ, needs=SERVER)
@contextmanager
def secret_in_template(demo: Deployment) -> Iterator[None]:
    """Commit the real value with the template."""
    value = demo.world.secret("smtp_password")
    with edited(service.template_file(demo.world), ("SMTP_PASSWORD=CHANGE_ME", f"SMTP_PASSWORD={value}")):
        yield


@fault(FILE, "there is a key that the template does not know", probes=READ, needs=SERVER)
@contextmanager
def key_unknown(demo: Deployment) -> Iterator[None]:
    """Mistype an optional key, so that it has no effect."""
    with having(demo, HTTPS_PROXI="http://127.0.0.1:3128"):
        yield


@fault(FILE, "everybody on the server can read it", probes=READ, needs=SERVER)
@contextmanager
def readable(demo: Deployment) -> Iterator[None]:
    """Set the mode that editors and copies give."""
    path = service.env_file(demo.world)
    path.chmod(0o644)
    try:
        yield
    finally:
        path.chmod(0o600)


@fault(FILE, "another group can read it", probes=READ, needs=CONTAINERS)
@contextmanager
def another_group(demo: Deployment) -> Iterator[None]:
    """Give it to a group that is not the deployment's."""
    path = service.env_file(demo.world)
    os.chown(path, -1, 65534)
    path.chmod(0o640)
    try:
        yield
    finally:
        os.chown(path, -1, os.getegid())
        path.chmod(0o600)


@fault(FILE, "it belongs to somebody else", probes=READ, needs=CONTAINERS)
@contextmanager
def another_owner(demo: Deployment) -> Iterator[None]:
    """Let the web server's user own it."""
    path = service.env_file(demo.world)
    os.chown(path, 65534, -1)
    try:
        yield
    finally:
        os.chown(path, os.geteuid(), -1)


@fault(FILE, "there is no file", probes=READ, also=(VALUES,), needs=SERVER)
@contextmanager
def file_gone(demo: Deployment) -> Iterator[None]:
    """Deploy without it."""
    path = service.env_file(demo.world)
    aside = path.with_name(".env.aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@fault(FILE, "a key is given twice", probes=READ, needs=SERVER)
@contextmanager
def given_twice(demo: Deployment) -> Iterator[None]:
    """Append a corrected line and leave the old one."""
    with appended(demo, "SMTP_PORT=587\n"):
        yield


@fault(FILE, "an editor left a byte order mark", probes=READ, needs=SERVER)
@contextmanager
def byte_order_mark(demo: Deployment) -> Iterator[None]:
    """Save it on Windows: the first key has another name then."""
    with rewritten(demo, lambda before: b"\xef\xbb\xbf" + before):
        yield


@fault(FILE, "an editor left carriage returns", probes=READ, needs=SERVER)
@contextmanager
def carriage_returns(demo: Deployment) -> Iterator[None]:
    """Save it on Windows: a shell takes the return as part of every value."""
    with rewritten(demo, lambda before: before.replace(b"\n", b"\r\n")):
        yield


@fault(FILE, "a quote is never closed", probes=READ, needs=SERVER)
@contextmanager
def unclosed(demo: Deployment) -> Iterator[None]:
    """Lose the last quote of the file."""

    def lose(before: bytes) -> bytes:
        head, quote, tail = before.rpartition(b'"')
        assert quote, "the file has no quote to lose"
        return head + tail

    with rewritten(demo, lose):
        yield


@fault(FILE, "export without a value", probes=READ, needs=SERVER)
@contextmanager
def bare_export(demo: Deployment) -> Iterator[None]:
    """Write a line of a shell script."""
    with appended(demo, "export SMTP_PORT\n"):
        yield


@fault(FILE, "a blank ends a secret", probes=READ, needs=SERVER)
@contextmanager
def trailing_blank(demo: Deployment) -> Iterator[None]:
    """Paste a value together with what followed it."""
    with having(demo, SMTP_PASSWORD=demo.world.secret("smtp_password") + " "):
        yield


@fault(FILE, "a dollar sign is read differently by each reader", probes=READ, needs=SERVER)
@contextmanager
def dollar(demo: Deployment) -> Iterator[None]:
    """Have a generated password with a dollar sign in it, without single quotes."""
    with having(demo, SMTP_PASSWORD="K7w$mail3vQz9tRb2XcLpYh"):
        yield


@fault(FILE, "it was edited after the start", probes=LOADED, needs=CONTAINERS)
@contextmanager
def edited_after_start(demo: Deployment) -> Iterator[None]:
    """Correct a value, and restart nothing."""
    with having(demo, SMTP_PORT="2525"):
        yield


@fault(FILE, "a key was added after the start", probes=LOADED, needs=CONTAINERS)
@contextmanager
def added_after_start(demo: Deployment) -> Iterator[None]:
    """Add what was missing, and restart nothing."""
    with having(demo, SMTP_REPLY_TO="support@tokens.example"):
        yield


@fault(FILE, "a service's declaration overrides it", probes=LOADED, needs=CONTAINERS)
@contextmanager
def overridden(demo: Deployment) -> Iterator[None]:
    """Leave an old `environment:` in the Compose file."""
    with deployed(demo, environment={"SMTP_HOST": "mailhog"}):
        yield


@fault(FILE, "it is committed", probes=READ, needs=REPOSITORY)
@contextmanager
def committed(demo: Deployment) -> Iterator[None]:
    """Add it by force."""
    with restored(demo) as place:
        (place / ".env").write_text("JWT_SECRET=not-for-git\n")
        git(place, "add", "--force", ".env")
        git(place, "commit", "--quiet", "-m", "Configuration")
        yield


@fault(FILE, "it was committed and taken out again", probes=READ, needs=REPOSITORY)
@contextmanager
def in_history(demo: Deployment) -> Iterator[None]:
    """Leave it in the history of every clone."""
    with restored(demo) as place:
        (place / ".env").write_text("JWT_SECRET=not-for-git\n")
        git(place, "add", "--force", ".env")
        git(place, "commit", "--quiet", "-m", "Configuration")
        git(place, "rm", "--quiet", ".env")
        git(place, "commit", "--quiet", "-m", "No configuration here")
        yield


@fault(FILE, "git does not ignore it", probes=READ, needs=REPOSITORY)
@contextmanager
def not_ignored(demo: Deployment) -> Iterator[None]:
    """Clean .gitignore up too far."""
    with restored(demo) as place, edited(place / ".gitignore", (".env\n", "")):
        yield


@fault(FILE, "nginx serves it", probes=WIRE)
@contextmanager
def served_file(demo: Deployment) -> Iterator[None]:
    """Let the web server's root be the application's folder."""
    with served(demo, "/.env", "default_type text/plain; return 200 'APP_ENV=production\\n';"):
        yield


@fault(FILE, "nginx serves the template as a download", probes=WIRE)
@contextmanager
def served_template(demo: Deployment) -> Iterator[None]:
    """Answer with a page for anything, but for this one path, which is a file."""
    with served(demo, "/.env.production", "default_type application/octet-stream; return 200 'x';"):
        yield
