"""What whoever runs the service needs: documents, contacts, and a calendar of maintenance."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.target.base import HttpUrl, Section

DEPLOY_HEADINGS = (
    "prerequisite|requirement|before you",
    "variable|environment|configuration|setting",
    "deploy|install|rollout|release",
    "verif|check|smoke",
    "rollback|roll back|revert|backing out",
    "owner|maintain|responsib|contact",
)
"""Headings of a deployment guide; alternatives are separated by `|`, see rules/markdown_docs.py."""


class DocsSection(Section):
    """`[docs]`: the documents of operations, in Markdown.

    A path names a file of the released commit (in `repo.clone`), or else one beside the target file.  `deploy_inputs`:
    what the deployment guide describes, as paths or patterns in the repository; usual names are found.
    `required_headings`: of the deployment guide, alternatives separated by `|`.  `required_runbooks`: operation ->
    words of its runbook's heading; our own list when empty.  `runbooks_not_needed`: operation -> why not.
    `dependencies`: services of others that the troubleshooting guide must cover.  `link_bases`: addresses below which
    links in documents are tried; no other host is asked.  `known_variables`: environment variables that documents name and
    that are not in the template of the service.
    """

    deploy: str = ""
    deploy_inputs: list[str] = []
    required_headings: list[str] = list(DEPLOY_HEADINGS)
    runbook_dir: str = ""
    required_runbooks: dict[str, str] = {}
    runbooks_not_needed: dict[str, str] = {}
    troubleshooting: str = ""
    dependencies: list[str] = []
    updates: str = ""
    link_bases: list[HttpUrl] = []
    known_variables: list[str] = []


class ContactsSection(Section):
    """`[contacts]`: a YAML or TOML file of who is called for what, see docs/records.md.

    `roles` must each have a primary and a secondary.  `mail_domains_asked`: ask `dns.resolvers` whether the domains of
    addresses take mail.  `security_txt`: where the product tells finders of weaknesses whom to write to (RFC 9116);
    empty for a product that is not public.
    """

    file: str = ""
    roles: list[str] = []
    mail_domains_asked: bool = False
    security_txt: str = "/.well-known/security.txt"


class MaintenanceSection(Section):
    """`[maintenance]`: when the service is worked on, and how its parts are kept up to date.

    `calendar`: an iCalendar file, or YAML (see docs/records.md); without it `zero_downtime` says that nobody ever
    notices maintenance, which operations sign.  `peak_hours`: times that no window may touch, as
    `mon-fri 08:00-20:00 Europe/Berlin`.  `bot_config`: what proposes updates of dependencies; usual names are found.
    `packages`: how servers are patched; "image" where they are replaced by newer ones instead.
    """

    calendar: str = ""
    zero_downtime: bool = False
    peak_hours: list[str] = []
    bot_config: str = ""
    packages: Literal["auto", "apt", "dnf", "image"] = "auto"
