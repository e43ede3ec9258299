"""Tools that change what operations keep: files of the released commit, pages, and the API's document."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import history, repository
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.tools import edited, reloaded

Change = Callable[[str], str]


@contextmanager
def committed(demo: Deployment, changes: Mapping[str, Change | None]) -> Iterator[None]:
    """Release a commit in which files are changed, made now; None takes a file away."""
    world = demo.world
    files = history.content(repository.remote(world), world.release.commit)
    for path, change in changes.items():
        before = files.pop(path)
        if change is not None:
            text = change(before.decode())
            assert text != before.decode(), f"{path} was not changed; the fault would break nothing"
            files[path] = text.encode()
    objects = history.Objects(repository.checkout(world) / ".git" / "objects")
    commit = objects.commit(
        objects.tree(files), datetime.now(UTC), "Changed in a hurry", world.release.commit
    )
    with edited(demo.target, (world.release.commit, commit)):
        yield


def changed(**changes: tuple[str, str] | None) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that replaces strings in files of the released commit; `deploy` is docs/deploy.md."""
    paths = {
        "deploy": "docs/deploy.md",
        "troubleshooting": "docs/troubleshooting.md",
        "updates": "docs/updates.md",
        "compose": "compose.yaml",
        "template": ".env.production",
        "bot": ".github/dependabot.yml",
    }

    def replacing(old: str, new: str) -> Change:
        return lambda text: text.replace(old, new)

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return committed(
            demo,
            {paths[name]: replacing(*pair) if pair is not None else None for name, pair in changes.items()},
        )

    return inject


def written(
    *where: str, change: tuple[str, str] | None
) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that replaces strings in a file of the deployment, or takes it away."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        path = demo.world.path(*where)
        return edited(path, change) if change is not None else away(path)

    return inject


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Take a file away."""
    aside = path.with_name(f"{path.name}.away")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def targeted(old: str, new: str) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that edits the target file."""
    return lambda demo: edited(demo.target, (old, new))


def documented(
    change: Callable[[dict[str, Any]], object],
) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that serves another OpenAPI document in the place of the application's."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with urllib.request.urlopen(f"{demo.world.url('app1')}/openapi.json", timeout=20) as answer:
            values = json.load(answer)
        change(values)
        folder = demo.world.path("nginx", "www")
        file = folder / "openapi.json"
        file.write_text(json.dumps(values))
        served = (
            "        location / {\n            proxy_pass http://app;",
            f"        location = /openapi.json {{\n            root {folder};\n            types {{\n            }}\n"
            "            default_type application/json;\n        }\n"
            "        location / {\n            proxy_pass http://app;",
        )
        try:
            with reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), served):
                yield
        finally:
            file.unlink()

    return inject
