"""Reading documents: out of the released commit or beside the target file, with their links and what they name."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import clones
from pytest_deploycheck.probes.clones import Clone
from pytest_deploycheck.probes.docs_facts import Document, Link, Part
from pytest_deploycheck.rules import doc_drift
from pytest_deploycheck.rules.markdown_docs import MARKDOWN, Page, parse

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SIZE_MAX_BYTES = 2**20
LINKS_MAX = 100
PAGES_MAX = 200
TEMPLATES = (".env.example", ".env.template", ".env.sample", ".env.dist", "env.example", ".env.production")
OTHERS = (
    *(
        "Dockerfile*",
        "*/Dockerfile*",
        "Makefile",
        "*.mk",
        ".github/workflows/*",
        ".gitlab-ci.yml",
        "Jenkinsfile",
    ),
    *("scripts/*", "bin/*", "*.sh"),
)
"""Where variables of builds and tools are named."""
COMPOSE = (
    "compose.y*ml",
    "compose.*.y*ml",
    "docker-compose*.y*ml",
    "*/compose.y*ml",
    "*/docker-compose*.y*ml",
)


@dataclass(frozen=True)
class Found:
    """A document's bytes, where they are from, and its page."""

    path: str
    source: str
    content: bytes

    @property
    def page(self) -> Page:
        """The page."""
        return parse(self.content.decode("utf-8", "replace"))


class Library:
    """Where documents are; each is read once."""

    def __init__(self, target: Target, connect: Connections, commit: str) -> None:
        self._target = target
        self._connect = connect
        self._git = connect.git()
        self.clone: Clone | None = clones.find(target, self._git, commit) if commit else None
        self.paths: tuple[str, ...] = self.clone.paths() if self.clone else ()
        self._known = frozenset(self.paths)
        self._read: dict[str, Found] = {}
        self._links: dict[str, str | None] = {}

    def read(self, path: str) -> Found:
        """Return a document by its path; with an empty source where there is none."""
        path = posixpath.normpath(path)
        if path not in self._read:
            self._read[path] = self._found(path)
        return self._read[path]

    def _found(self, path: str) -> Found:
        if self.clone is not None and path in self._known:
            return Found(path, "repository", self.clone.content(path)[:SIZE_MAX_BYTES])
        file = self._target.file(path)
        self._connect.socket_allowed("files", "read", path)
        try:
            if file.is_file():
                with file.open("rb") as opened:
                    return Found(path, "file", opened.read(SIZE_MAX_BYTES))
        except OSError:
            pass
        return Found(path, "", b"")

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the Markdown pages of a folder and of those in it."""
        folder = folder.rstrip("/")
        inside = tuple(
            path for path in self.paths if path.startswith(f"{folder}/") and path.lower().endswith(MARKDOWN)
        )
        if inside:
            return inside[:PAGES_MAX]
        self._connect.socket_allowed("files", "read", folder)
        root: Path = self._target.file(folder)
        base = self._target.path.parent.resolve()
        found = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in MARKDOWN)
        return (
            tuple(posixpath.join(folder, path.relative_to(root).as_posix()) for path in found)[:PAGES_MAX]
            if (root.is_dir() and base)
            else ()
        )

    def matching(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Return the paths of the released commit that patterns find, in the order of the patterns."""
        found = [
            path
            for pattern in patterns
            for path in self.paths
            if fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern.rstrip('/')}/")
        ]
        return tuple(dict.fromkeys(found))

    def text(self, path: str) -> str:
        """Return a file of the released commit, as text."""
        return self.read(path).content.decode("utf-8", "replace")

    def changed_at(self, path: str) -> str:
        """Return when the newest commit that touched a path was made, empty if unknown."""
        if self.clone is None or path not in self._known:
            return ""
        newest = self._git.read(self.clone.path, "rev-list", "-1", self.clone.commit, "--", path).text.strip()
        return Clone(self.clone.path, newest, self._git).committed_at() if newest else ""

    def has(self, path: str) -> bool:
        """Whether a link of the repository leads to something there, or to a file beside the target file."""
        return doc_drift.exists(path, self._known) or bool(self.read(path).source) or self._is_folder(path)

    def _is_folder(self, path: str) -> bool:
        return not path.startswith("..") and self._target.file(path).is_dir()

    def links(self, found: Found, page: Page) -> tuple[Link, ...]:
        """Try the links of a page: within it, to other documents, and to addresses that may be asked."""
        own = [Link(to, "there is no such heading") for to in page.dead_anchors()]
        return (*own, *(Link(to, self._wrong(found, to)) for to in page.targets()))

    def _wrong(self, found: Found, to: str) -> str | None:
        if re.match(r"[a-z][a-z0-9+.-]*:", to, re.IGNORECASE):
            return self._answers(to)
        name, anchor = urldefrag(unquote(to))
        folder = "" if name.startswith("/") else posixpath.dirname(found.path)
        path = posixpath.normpath(posixpath.join(folder, name.lstrip("/")))
        if not self.has(path):
            return "there is no such file"
        if anchor and path.lower().endswith(MARKDOWN):
            known = {heading.slug for heading in self.read(path).page.headings}
            return "" if anchor.lower() in known else "there is no such heading"
        return ""

    def _answers(self, to: str) -> str | None:
        bases = [*self._target.docs.link_bases, *self._target.comms.docs_base]
        address = urldefrag(to)[0]
        base = next((one for one in bases if f"{address}/".startswith(f"{one}/")), "")
        if not base or (address not in self._links and len(self._links) >= LINKS_MAX):
            return None
        if address not in self._links:
            try:
                status = self._connect.http("docs", base=base).get(address).status
                fine = 200 <= status < 400 or status in (401, 403)
                self._links[address] = "" if fine else f"answers {status}"
            except (Dead, CannotLook) as why:
                self._links[address] = why.message
        return self._links[address]


class Described:
    """What a repository has that documents speak of."""

    def __init__(self, library: Library, known_variables: Iterable[str] = ()) -> None:
        self._known_variables = tuple(known_variables)
        self.template = next(iter(library.matching(TEMPLATES)), "")
        self.compose = library.matching(COMPOSE)
        self.services = tuple(
            dict.fromkeys(name for path in self.compose for name in _services(library.text(path)))
        )
        self._names = library.text(self.template) if self.template else ""
        self._others = "\n".join(library.text(path) for path in self.compose)
        self._others += "\n".join(library.text(path) for path in library.matching(OTHERS))
        self._paths = library.paths

    def drift(self, page: Page) -> tuple[tuple[str, str], ...]:
        """Return (kind, name) of what a page names and the repository has not; nothing where that is unknown."""
        found = []
        if self.template:
            known = set(re.findall(r"[A-Z][A-Z0-9_]+", f"{self._names}\n{self._others}"))
            known |= set(self._known_variables)
            found += [("variable", name) for name in doc_drift.variables(page) if name not in known]
        if self.services:
            named = doc_drift.services(page.commands)
            found += [("service", name) for name in named if name not in self.services]
        if self._paths:
            found += [("path", path) for path in doc_drift.paths(page, self._paths)]
        return tuple(found)


def document(
    library: Library, described: Described, path: str, required: Iterable[str], version: str
) -> Document:
    """Return what is to be known of one document."""
    found = library.read(path)
    page = found.page
    said = doc_drift.versions(page)
    return Document(
        path=found.path,
        source=found.source,
        digest=hashlib.sha256(found.content).hexdigest() if found.source else "",
        changed_at=library.changed_at(found.path) if found.source == "repository" else "",
        title=page.title[:120],
        words=page.words,
        parts=tuple(_part(page, number) for number in range(len(page.headings))),
        lacks=page.lacking(required),
        undone=page.undone[:10],
        links=library.links(found, page),
        drift=described.drift(page),
        versions=said,
        covers=any(doc_drift.covers(one, version) for one in said) if said and version else None,
    )


def _part(page: Page, number: int) -> Part:
    heading = page.headings[number]
    inner = page.part(heading)
    steps = any(re.match(r"\s{0,3}(?:\d+[.)]|[-*+])\s+\S", line) for line in inner.prose)
    return Part(
        title=heading.title[:120],
        slug=heading.slug,
        level=heading.level,
        words=inner.words,
        commands=len(inner.commands),
        steps=steps or bool(inner.commands),
    )


def _services(text: str) -> list[str]:
    """Return the names of a Compose file's services."""
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    found = values.get("services") if isinstance(values, Mapping) else None
    return [str(name) for name in found] if isinstance(found, Mapping) else []
