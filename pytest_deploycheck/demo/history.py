"""The history of the service's code: a bare repository with two commits and a tag, written without Git itself.

Which commit is released must be known before anything starts, and on machines without Git: so blobs, trees, commits
and the tag are made here, as loose objects in Git's own format.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

BRANCH = "main"
_HERE = Path(__file__).parent
_AUTHOR = "Ann Ash <ann@tokens.example>"
_COMMITTED_BEFORE = timedelta(minutes=25)
_NAMES = {"gitignore": ".gitignore", "env.production": ".env.production"}
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


class Objects:
    """The objects of one repository; each is written once, under the hash of its content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kind: str, content: bytes) -> str:
        """Write an object and return its hash."""
        data = f"{kind} {len(content)}\0".encode() + content
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        path = self._folder / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zlib.compress(data, 1))
        return name

    def get(self, name: str) -> bytes:
        """Return an object's content; FileNotFoundError when it was not written here."""
        return zlib.decompress((self._folder / name[:2] / name[2:]).read_bytes()).partition(b"\0")[2]

    def tree(self, files: Mapping[str, bytes]) -> str:
        """Write a tree of files, each by its path."""
        below: dict[str, dict[str, bytes]] = {}
        entries: list[tuple[str, str, str]] = []
        for path, content in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = content
            else:
                entries.append((name, "100644", self.put("blob", content)))
        entries += [(name, "40000", self.tree(inner)) for name, inner in below.items()]
        # Git sorts a folder as if its name ended in a slash.
        entries.sort(key=lambda entry: entry[0] + ("/" if entry[1] == "40000" else ""))
        body = (f"{mode} {name}\0".encode() + bytes.fromhex(value) for name, mode, value in entries)
        return self.put("tree", b"".join(body))

    def commit(self, tree: str, at: datetime, message: str, *parents: str) -> str:
        """Write a commit."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {_stamp(at)}", f"committer {_stamp(at)}", "", message, ""]
        return self.put("commit", "\n".join(lines).encode())

    def tag(self, commit: str, name: str, at: datetime, message: str) -> str:
        """Write an annotated tag."""
        lines = [f"object {commit}", "type commit", f"tag {name}", f"tagger {_stamp(at)}", "", message, ""]
        return self.put("tag", "\n".join(lines).encode())


def files() -> dict[str, bytes]:
    """Return the service's code by path: the same for each version of this package."""
    found = {}
    for path in sorted((_HERE / "files" / "code").rglob("*")):
        if path.is_file():
            inside = path.relative_to(_HERE / "files" / "code")
            name = str(inside.with_name(_NAMES.get(inside.name, inside.name)))
            found[f".{name}" if name.startswith("github/") else name] = path.read_bytes()
    for folder, pattern in (("app", "*.py"), ("migrations", "*.sql"), ("contract", "*.sol")):
        for path in sorted((_HERE / folder).glob(pattern)):
            found[f"{folder}/{path.name}"] = path.read_bytes()
    return found


def committed_at(deployed_at: datetime) -> datetime:
    """Return when the released commit was made."""
    return deployed_at - _COMMITTED_BEFORE


def make(folder: Path, version: str, deployed_at: datetime) -> str:
    """Write the bare repository; return the commit of the release. The same arguments give the same commit."""
    objects = Objects(folder / "objects")
    now = files()
    before = {path: content for path, content in now.items() if not path.startswith("web/")}
    at = committed_at(deployed_at)
    first = objects.commit(objects.tree(before), at - timedelta(days=1), "The service without its page")
    commit = objects.commit(objects.tree(now), at, f"Version {version}", first)
    point(folder, commit, version, deployed_at)
    return commit


def point(folder: Path, commit: str, version: str, deployed_at: datetime) -> None:
    """Let branch and tag of the repository name a commit that it has."""
    at = committed_at(deployed_at) + timedelta(minutes=1)
    tag = Objects(folder / "objects").tag(commit, f"v{version}", at, f"Version {version}")
    for name, text in (
        ("HEAD", f"ref: refs/heads/{BRANCH}\n"),
        ("config", _CONFIG),
        (f"refs/heads/{BRANCH}", f"{commit}\n"),
        (f"refs/tags/v{version}", f"{tag}\n"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def has(folder: Path, commit: str) -> bool:
    """Whether the repository has a commit, as it was written here."""
    return bool(commit) and (folder / "objects" / commit[:2] / commit[2:]).is_file()


def content(folder: Path, commit: str) -> dict[str, bytes]:
    """Return the files of a commit by path; another version of this package may have written them."""
    objects = Objects(folder / "objects")
    root = objects.get(commit).partition(b"\n")[0].removeprefix(b"tree ").decode()
    return dict(_files_below(objects, root, ""))


def _files_below(objects: Objects, tree: str, above: str) -> Iterator[tuple[str, bytes]]:
    rest = objects.get(tree)
    while rest:
        entry, _, rest = rest.partition(b"\0")
        mode, _, name = entry.decode().partition(" ")
        value, rest = rest[:20].hex(), rest[20:]
        if mode == "40000":
            yield from _files_below(objects, value, f"{above}{name}/")
        else:
            yield f"{above}{name}", objects.get(value)


def _stamp(at: datetime) -> str:
    return f"{_AUTHOR} {round(at.timestamp())} +0000"
