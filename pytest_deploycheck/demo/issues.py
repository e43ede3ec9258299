"""Stand-in for the team's own issue tracker: GitHub's search of issues over DIR/issues/issues.json.

`GET /search/issues?q=is:open+label:P0,P1` answers like GitHub's REST API: labels after one `label:` are
alternatives. The file is a list of `{"title", "state", "labels"}`.
"""

from __future__ import annotations

import json

from pytest_deploycheck.demo.standin_http import Listener, Request, Response
from pytest_deploycheck.demo.world import World

LABEL = "issues"
_FIRST = [
    {"title": "The quote's tooltip has a typo", "state": "open", "labels": ["P3", "web"]},
    {"title": "Login page flickers", "state": "closed", "labels": ["P1"]},
]


def configure(world: World) -> None:
    """Write the tracker's issues, over whatever was there: a small bug that is open, and one that is done."""
    world.path("issues", "issues.json").write_text(json.dumps(_FIRST, indent=1) + "\n")


def search(world: World, *labels: str) -> str:
    """Return the address of a search for open issues with one of these labels."""
    return f"{world.url('issues')}/search/issues?q=is:open+label:{','.join(labels)}"


def listener(world: World) -> Listener:
    """Return the tracker on its port."""
    file = world.path("issues", "issues.json")

    def app(request: Request) -> Response:
        if request.path != "/search/issues":
            return Response({"message": "Not Found"}, 404)
        words = request.first("q").split()
        wanted = [set(word[6:].split(",")) for word in words if word.startswith("label:")]
        found = [
            {"title": one["title"], "state": one["state"], "labels": [{"name": n} for n in one["labels"]]}
            for one in json.loads(file.read_text())
            if ("is:open" not in words or one["state"] == "open")
            and all(labels & set(one["labels"]) for labels in wanted)
        ]
        return Response({"total_count": len(found), "incomplete_results": False, "items": found})

    return Listener(world.port("issues"), app, LABEL)
