"""What was seen of the documents of operations; see probes/docs.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A link of a document: what was wrong with it, empty where it leads somewhere; None where it was not tried."""

    to: str
    wrong: str | None


@dataclass(frozen=True)
class Part:
    """A heading and what is below it.

    lacks: of what such a part should have, what it has not.  commands: lines of shell code.  steps: it has a
    numbered or bulleted list, or commands.  text: words in all.
    """

    title: str
    slug: str
    level: int
    words: int
    commands: int
    steps: bool


@dataclass(frozen=True)
class Document:
    """One document.

    source: "repository" (of the released commit), "file" (beside the target file), or empty where it is in neither.
    digest: sha256 of its bytes.  changed_at: of the newest commit that touched it, UTC ISO 8601, empty if unknown.
    lacks: required headings that it has not.  undone: words such as TODO.  drift: (kind, name) of variables,
    services and paths that it names and that the release does not have.  versions: what it says that it is for.
    covers: whether that includes the release, None where it says nothing.
    """

    path: str
    source: str
    digest: str
    changed_at: str
    title: str
    words: int
    parts: tuple[Part, ...]
    lacks: tuple[str, ...]
    undone: tuple[str, ...]
    links: tuple[Link, ...]
    drift: tuple[tuple[str, str], ...]
    versions: tuple[str, ...]
    covers: bool | None

    @property
    def there(self) -> bool:
        """Whether there is such a document."""
        return bool(self.source)


@dataclass(frozen=True)
class Runbook:
    """The runbook of an operation: the part of a document whose heading names it; no path where there is none.

    lacks: sections that it has not.  commands: lines of shell code in it.
    """

    operation: str
    path: str
    heading: str
    digest: str
    lacks: tuple[str, ...]
    commands: int
    undone: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """An entry of the troubleshooting guide, and what it lacks of symptom, check, cause and fix.

    about: its name and its symptom, which say what it is about.
    """

    name: str
    about: str
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class DocsFacts:
    """The documents, and what they describe.

    deploy, troubleshooting, updates: None where the target file names none.  inputs: (path, time of its newest
    commit) of what the deployment guide describes.  repository: the clone has the released commit.  template: the
    environment's template in it; services: of its Compose files.  pages: of the runbooks' folder.  runbooks: of each
    required operation.  not_needed: (operation, why).  entries: of the troubleshooting guide.  components,
    dependencies: what it must cover.  topics: (part of the service, its words found in the update procedure).
    """

    version: str
    repository: bool
    deploy: Document | None
    troubleshooting: Document | None
    updates: Document | None
    inputs: tuple[tuple[str, str], ...]
    template: str
    services: tuple[str, ...]
    runbook_dir: str
    pages: tuple[Document, ...]
    runbooks: tuple[Runbook, ...]
    not_needed: tuple[tuple[str, str], ...]
    critical: tuple[str, ...]
    entries: tuple[Entry, ...]
    components: tuple[str, ...]
    dependencies: tuple[str, ...]
    topics: tuple[tuple[str, bool], ...]
    bot_config: str
    locks: tuple[tuple[str, str], ...]
