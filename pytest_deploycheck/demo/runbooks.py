"""The team's runbooks as the wiki that alerts link to: DIR/docs/runbooks/*.md on a port of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_deploycheck.demo.standin_http import Listener, Request, Response
from pytest_deploycheck.demo.world import World

LABEL = "wiki"
SOURCE = Path(__file__).with_name("files") / "runbooks"


def configure(world: World) -> None:
    """Put the runbooks under DIR, over whatever was there."""
    for file in SOURCE.glob("*.md"):
        shutil.copyfile(file, world.path("docs", "runbooks", file.name))


def url(world: World) -> str:
    """Where the runbooks are, without a slash at the end."""
    return world.url("runbooks")


def listener(world: World) -> Listener:
    """Return the wiki on its port."""
    folder = world.dir / "docs" / "runbooks"

    def app(request: Request) -> Response:
        pages = {file.name: file for file in folder.glob("*.md")}
        if request.path == "/":
            return Response("".join(f"{name}\n" for name in sorted(pages)))
        page = pages.get(request.path.removeprefix("/"))
        if page is None:
            return Response("404 no such runbook\n", 404)
        return Response(page.read_text(), content_type="text/markdown; charset=utf-8")

    return Listener(world.port("runbooks"), app, LABEL)
