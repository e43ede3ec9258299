"""Questions about a Compose project: the scripts that the allow-list takes, word for word, and no others."""

from __future__ import annotations

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.transports.compose import DECLARED, PROGRAMS, PS, is_question, question
from pytest_deploycheck.transports.shell import refuse_writes


@pytest.mark.parametrize("asked", [DECLARED, PS])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("project", ["", "shop-2"])
@pytest.mark.parametrize("files", [(), ("/srv/shop/compose.yml",), ("/srv/a.yml", "/srv/b.override.yml")])
def test_questions_pass(asked: str, program: str, project: str, files: tuple[str, ...]) -> None:
    """Every question is a read, with a project's name or without, by files or as it was started."""
    refuse_writes(question(asked, project=project, files=files, program=program))


@pytest.mark.parametrize(
    "script",
    [
        question("ask up --detach"),
        question("ask down", project="shop"),
        question(DECLARED) + "; reboot",
        question(DECLARED, project="shop;reboot"),
        question(DECLARED, project="$(reboot)"),
        question(DECLARED, files=["/srv/a.yml;reboot"]),
        question(DECLARED, files=["/srv/$(reboot)"]),
        question(DECLARED, program="docker compose up; docker compose"),
        question(PS).replace("head -n 1", "tee /etc/passwd"),
    ],
)
def test_other_scripts_are_refused(script: str) -> None:
    """A question with anything else in it is refused."""
    assert not is_question(script)
    with pytest.raises(CannotLook, match="not on the list of reads"):
        refuse_writes(script)


@pytest.mark.parametrize(
    "command",
    [
        "docker compose config --output /etc/cron.d/x",
        "docker compose config -o /etc/cron.d/x",
        "docker compose --dry-run up",
        "docker events --since=1h --format '{{json .}}'",
        "docker events",
        "docker exec app sh",
        "docker image rm x",
        "systemctl --user restart docker",
    ],
)
def test_writes_and_what_never_ends_are_refused(command: str) -> None:
    """What writes a file or waits for ever is no read."""
    with pytest.raises(CannotLook, match="not on the list of reads"):
        refuse_writes(command)


@pytest.mark.parametrize(
    "command",
    [
        "docker events --since=2026-01-01T00:00:00+00:00 --until=0s --filter=type=container --format '{{json .}}'",
        "docker compose version --short",
        "docker-compose version --short",
        "systemctl --user show --property=Id,ActiveState docker.service",
    ],
)
def test_reads_pass(command: str) -> None:
    """What the docker probe reads is on the list."""
    refuse_writes(command)
