"""The documents of operations: what they say, whether it is finished, and whether it is still true of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import docs_entries, docs_pages
from pytest_deploycheck.probes.docs_facts import DocsFacts, Document
from pytest_deploycheck.probes.evidence_files import released
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

INPUTS = (
    *docs_pages.COMPOSE,
    *(
        "Dockerfile*",
        "*/Dockerfile*",
        "nginx*.conf",
        "nginx/*",
        "*/nginx*.conf",
        "Caddyfile",
        "*.env.production",
    ),
    *(".env.example", ".env.production", ".github/workflows/*", ".gitlab-ci.yml", "Jenkinsfile"),
    *("alembic.ini", "helm/*", "k8s/*", "terraform/*", "ansible/*", "Procfile"),
)
"""What a deployment is usually made from, as patterns of paths."""
BOTS = (
    *(".github/dependabot.yml", ".github/dependabot.yaml", "renovate.json", "renovate.json5", ".renovaterc"),
    *(".renovaterc.json", ".github/renovate.json", ".github/renovate.json5", ".gitlab/renovate.json"),
)
LOCKS = (
    *(
        "requirements*.lock",
        "requirements*.txt",
        "*.lock",
        "package-lock.json",
        "*/package-lock.json",
        "go.sum",
    ),
    *("pnpm-lock.yaml", "*/pnpm-lock.yaml", "*/*.lock", "*/go.sum"),
)
"""Files that say which dependencies are installed."""
INPUTS_MAX = 40


@probe(facts=DocsFacts, deadline=20, uses={"files": "read", "docs": "GET"})
def docs(target: Target, connect: Connections) -> DocsFacts:
    """Read the documents out of the released commit or beside the target file, and try their links."""
    section = target.docs
    if not (section.deploy or section.runbook_dir or section.troubleshooting or section.updates):
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no [docs] in {target.path.name}; add deploy, runbook_dir, troubleshooting and updates",
        )
    library = docs_pages.Library(target, connect, released(target))
    described = docs_pages.Described(library, section.known_variables)

    def read(path: str, required: tuple[str, ...] = ()) -> Document | None:
        if not path:
            return None
        return docs_pages.document(library, described, path, required, target.release.version)

    paths = library.below(section.runbook_dir) if section.runbook_dir else ()
    pages = tuple(found for path in paths if (found := read(path)) is not None)
    parsed = [(page.path, page.digest, library.read(page.path).page) for page in pages]
    updates = read(section.updates)
    guide = library.read(section.troubleshooting).page if section.troubleshooting else None
    inputs = library.matching(section.deploy_inputs or INPUTS)[:INPUTS_MAX]
    return DocsFacts(
        version=target.release.version,
        repository=library.clone is not None,
        deploy=read(section.deploy, tuple(section.required_headings)),
        troubleshooting=read(section.troubleshooting),
        updates=updates,
        inputs=tuple((path, library.changed_at(path)) for path in inputs),
        template=described.template,
        services=described.services,
        runbook_dir=section.runbook_dir,
        pages=pages,
        runbooks=tuple(
            docs_entries.runbook(operation, words, parsed)
            for operation, words in docs_entries.required(target).items()
        ),
        not_needed=tuple(section.runbooks_not_needed.items()),
        critical=tuple(one for one in docs_entries.CRITICAL if one in docs_entries.required(target)),
        entries=docs_entries.entries(guide) if guide is not None else (),
        components=tuple(target.health.components),
        dependencies=tuple(section.dependencies),
        topics=docs_entries.topics(target, library.text(section.updates)) if updates else (),
        bot_config=next(
            iter(
                library.matching((target.maintenance.bot_config,) if target.maintenance.bot_config else BOTS)
            ),
            "",
        ),
        locks=tuple((path, library.changed_at(path)) for path in library.matching(LOCKS)[:INPUTS_MAX]),
    )
