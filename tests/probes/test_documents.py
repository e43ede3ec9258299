"""Documents: what is read out of Markdown, and what it names that is not there."""

from __future__ import annotations

import pytest

from pytest_deploycheck.probes import docs_entries
from pytest_deploycheck.rules import doc_drift
from pytest_deploycheck.rules.markdown_docs import parse

PAGE = """\
---
applies_to: ">= 1.4"
Owner: devops
---
Deploying
=========

## Steps ##
Set `DATABASE_URL`; see [below](#way-back) and [the rest](other.md "Rest") <https://a.example/x>.

```console
$ docker compose -f compose.yaml up -d \\
    --scale api=2 api
Started
$ BACKUP_ID=$(date); ./scripts/go.sh "$BACKUP_ID"
```

~~~text
# no heading, [no link](gone.md), NOT_A_VARIABLE
~~~

**Escalation:** to the lead

### Way back
`docker compose restart edge`

## Empty
"""


def test_a_page_is_taken_apart() -> None:
    """Headings of both kinds, anchors, links, labels, front matter; nothing out of code."""
    page = parse(PAGE)
    assert [(one.level, one.title, one.slug) for one in page.headings] == [
        (1, "Deploying", "deploying"),
        (2, "Steps", "steps"),
        (3, "Way back", "way-back"),
        (2, "Empty", "empty"),
    ]
    assert page.links == ("#way-back", "other.md", "https://a.example/x")
    assert page.targets() == ("other.md", "https://a.example/x")
    assert page.dead_anchors() == ()
    assert page.meta == {"applies_to": ">= 1.4", "owner": "devops"}
    assert page.commands[0].split() == "docker compose -f compose.yaml up -d --scale api=2 api".split()
    assert len(page.commands) == 2


def test_required_sections_have_content() -> None:
    """A heading, a label or front matter will do; a heading with nothing below it will not."""
    wanted = ("step|procedure", "escalat", "owner|maintain", "roll back|way back", "empty", "impact")
    assert parse(PAGE).lacking(wanted) == ("empty", "impact")


def test_dead_anchors_and_words_of_the_unfinished_are_found() -> None:
    """A link to a heading that is gone, and TODO outside of code."""
    page = parse("# A\nTODO, see [b](#gone) and `TODO`.\n\n# A\n[second](#a-1)\n")
    assert page.dead_anchors() == ("#gone",)
    assert page.undone == ("TODO",)


def test_a_fence_that_is_never_closed_hides_the_rest() -> None:
    """As CommonMark has it."""
    assert [one.title for one in parse("# A\n```\n# B\n").headings] == ["A"]


def test_drift_is_what_a_page_names() -> None:
    """Variables in code, services of Compose's commands, paths into folders of the repository."""
    page = parse(PAGE)
    assert doc_drift.variables(page) == ("DATABASE_URL",)
    assert doc_drift.services(page.commands) == ("api",)
    assert doc_drift.paths(page, ["compose.yaml", "app/main.py"]) == ("scripts/go.sh",)
    assert doc_drift.paths(page, ["scripts/go.sh"]) == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("`APP_KEY=x` and `${APP_URL}`, not APP_WORD, not `a APP_PHRASE`", ("APP_KEY", "APP_URL")),
        ('```sh\nrun --url "$APP_URL" --flag NOT_THIS\n```', ("APP_URL",)),
        ("```sh\nOWN_ID=$(date)\nread -r MY_NAME\necho $OWN_ID $MY_NAME\n```", ()),
        ("```env\nAPP_KEY=x\n# APP_OLD=y\n```", ("APP_KEY", "APP_OLD")),
        ("```sql\nSELECT CURRENT_DATE\n```", ()),
        ("`DOCKER_HOST` and `GITHUB_TOKEN`", ()),
    ],
)
def test_variables_are_named_as_such(text: str, names: tuple[str, ...]) -> None:
    """By a code span of their own, by a dollar, by a line of a settings file; those of tools are none."""
    assert doc_drift.variables(parse(text)) == names


@pytest.mark.parametrize(
    "command",
    [
        "git checkout bin/1.4",
        "docker pull app/api",
        "kubectl -n shop exec scripts/api -- ls",
        "ssh server scripts/restart",
        "curl https://a.example/scripts/x",
        "cat /srv/scripts/x",
    ],
)
def test_arguments_that_are_no_paths_here(command: str) -> None:
    """Branches, images, objects, addresses, and paths of other machines."""
    assert doc_drift.paths(parse(f"```sh\n{command}\n```"), ["app/main.py"]) == ()


@pytest.mark.parametrize(
    ("command", "services"),
    [
        ("docker compose exec -T -u postgres db psql -c 'SELECT 1'", ("db",)),
        ("sudo docker compose --profile a -p shop logs --tail 50 -f api worker", ("api", "worker")),
        ("docker-compose run --rm -e A=b migrate upgrade head", ("migrate",)),
        ("docker compose ps && docker compose restart api", ("api",)),
        ("docker compose up -d", ()),
        ("docker compose config", ()),
        ("docker compose up $SERVICE", ()),
        ("docker restart api", ()),
        ("docker compose -f /srv/monitoring/compose.yml up -d grafana", ()),
    ],
)
def test_services_of_commands(command: str, services: tuple[str, ...]) -> None:
    """Options and their values are none."""
    assert doc_drift.services([command]) == services


@pytest.mark.parametrize(
    ("said", "version", "covered"),
    [
        (">= 1.4", "1.4.2", True),
        (">= 1.4", "1.3.9", False),
        ("1.4.x", "1.4.2", True),
        ("1.4", "1.4.2", True),
        ("v1.4.2", "1.4.2", True),
        ("1.3", "1.4.2", False),
        ("1.3 and later", "2.0.0", True),
        ("1.10", "1.9", False),
    ],
)
def test_versions_that_a_page_is_for(said: str, version: str, covered: bool) -> None:
    """Numbers are compared as numbers."""
    assert doc_drift.covers(said, version) is covered


def test_entries_are_headings_or_rows() -> None:
    """Labelled parts, deeper headings, and tables; what one lacks is told."""
    page = parse(
        "# Guide\n## Database\n- **Symptom:** 503\n- **Check:** ps\n- **Cause:** disk\n- **Fix:** free it\n"
        "## Cache\n**Symptom**: slow\n**Cause**: evictions\n\n"
        "## Codes\n| Error | Diagnosis | Reason | Solution |\n|---|---|---|---|\n| 401 | token | old | log in |\n| 500 | | bug | |\n"
    )
    found = {entry.name: entry.lacks for entry in docs_entries.entries(page)}
    assert found == {"Database": (), "Cache": ("check", "fix"), "401": (), "500": ("check", "fix")}


def test_a_runbook_is_a_page_or_a_part_of_one() -> None:
    """The one that lacks least is taken; a page's owner in its front matter holds for its parts."""
    sections = "".join(
        f"### {title}\nsomething\n"
        for title in ("Trigger", "Impact", "Verification", "Rollback", "Escalation")
    )
    text = f"---\nowner: ops\n---\n# All\n## Restore the database\n{sections}### Steps\n```sh\nls\n```\n"
    pages = [("a.md", "0", parse("# Restore the database\nTODO\n")), ("b.md", "1", parse(text))]
    found = docs_entries.runbook("restore", "restor database", pages)
    assert (found.path, found.lacks, found.commands) == ("b.md", (), 1)
    assert docs_entries.runbook("nothing", "pause contract", pages).path == ""


@pytest.mark.parametrize("part", ["`", "[a](", "[", "**", "<https://", "|--", " ", "# "])
def test_long_lines_are_read_in_time(part: str) -> None:
    """A line of one sign over and over is read up to a bound; without it this would take minutes."""
    page = parse(part * 20_000)
    assert len(page.lines[0]) <= 1500
    assert page.links == () or part == "[a]("
    assert page.undone == ()
