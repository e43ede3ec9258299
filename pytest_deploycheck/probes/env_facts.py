"""What was seen of an application's environment file; see probes/env_file.py."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_deploycheck.rules.dotenv import Issue
from pytest_deploycheck.rules.strength import Strength


@dataclass(frozen=True)
class Key:
    """One key of the file, without its value.

    type: as declared, or as its name tells.  wrong: what its value is not, empty when it fits the type.
    placeholder: the value still stands for another.  templates: it is the template's own placeholder, or a
    secret that the template gives away.  looks_secret: it has no type, and a value like a generated secret.
    """

    name: str
    type: str
    wrong: str
    empty: bool
    placeholder: bool
    templates: bool
    looks_secret: bool
    optional: bool


@dataclass(frozen=True)
class FileState:
    """The file itself: mode as an octal number has it (0o600 is 384); modified_at is UTC ISO 8601.

    owners, groups: whose it may be, and which groups may read it; no owners: nothing says.
    """

    mode: int
    owner: str
    group: str
    modified_at: str
    owners: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class GitState:
    """What the checkout on the server knows of the file; committed: the newest commit that touched it."""

    checkout: str
    file: str
    tracked: bool
    ignored: bool
    committed: str


@dataclass(frozen=True)
class SecretStrength:
    """How strong a secret is; name is the key, or `KEY password` for the password in an address."""

    name: str
    strength: Strength


@dataclass(frozen=True)
class EnvFileFacts:
    """The file and what it says, without a value.

    exists: there is such a file.  rendered: a secrets manager made it, and there is no file.  template: where the template was found, empty
    when it was not; template_looked: where it was looked for.  missing, extra: keys that only the template has,
    and only the file.  issues: what is wrong with the way it is written, for `reader`.  same: groups of secrets
    that are one.  git: None without repo.path, or where Git does not answer (git_problem).  jwt_key, cors_key:
    the names of these keys.
    """

    path: str
    exists: bool
    rendered: bool
    reader: str
    file: FileState | None
    file_problem: str
    template: str
    template_looked: tuple[str, ...]
    template_keys: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    issues: tuple[Issue, ...]
    keys: tuple[Key, ...]
    strengths: tuple[SecretStrength, ...]
    same: tuple[tuple[str, ...], ...]
    git: GitState | None
    git_problem: str

    def key(self, name: str) -> Key | None:
        """Return a key by its name."""
        return next((key for key in self.keys if key.name == name), None)

    def strength(self, name: str) -> Strength | None:
        """Return the strength of a secret by its key."""
        return next((one.strength for one in self.strengths if one.name == name), None)
