"""The repo probe: what the remote repository's branch and tag are now, and what the runner's clone knows of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import clones
from pytest_deploycheck.probes.evidence_files import is_commit, released
from pytest_deploycheck.probes.remotes import shown
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.git import Git

REF = re.compile(r"[A-Za-z0-9_][\w./+@-]*")


@dataclass(frozen=True)
class RepoFacts:
    """The branch and the tag at the remote, now; None where the remote did not answer, "" where it has none.

    commit, tag: the released ones.  refused: what Git said when the remote did not answer.  tag_object: the annotated
    tag's own hash, the commit's for a light one.  clone: the runner's clone has the commit.  committed_at: UTC ISO
    8601, "" unknown.  ancestor: the branch holds the released commit; None unknown.  ancestor_allowed, signed_wanted:
    as the target file says.  tag_signed: by somebody who may; None where it was not looked at.
    """

    remote: str
    branch: str
    commit: str
    tag: str
    remote_head: str | None
    tag_object: str | None
    tag_commit: str | None
    refused: str
    clone: bool
    committed_at: str
    ancestor: bool | None
    ancestor_allowed: bool
    signed_wanted: bool
    tag_signed: bool | None
    tag_said: str


@probe(facts=RepoFacts, deadline=20, uses={"repo": "ls-remote"})
def repo(target: Target, connect: Connections) -> RepoFacts:
    """Ask the remote repository for its branch and tag; read the runner's clone."""
    section, commit, tag = target.repo, released(target), target.release.tag
    if not section.remote:
        raise CannotLook(Reason.NO_CONFIG, f"no repo.remote in {target.path.name}; add it")
    for name in filter(None, (section.branch, tag)):
        if not REF.fullmatch(name):
            raise CannotLook(Reason.NO_CONFIG, f"{name!r} is no name of a branch or tag; correct it")
    git = connect.git()
    branch, wanted = f"refs/heads/{section.branch}", f"refs/tags/{tag}"
    answer = git.heads(section.remote, branch, *((wanted, f"{wanted}^{{}}") if tag else ()))
    refs = listed(answer.text) if answer.status == 0 else None
    head = None if refs is None else refs.get(branch, "")
    made = None if refs is None else refs.get(wanted, "")
    clone = clones.find(target, git, commit)
    signed, said = _signed(target, git, clone, made) if tag and section.require_signed_tag else (None, "")
    return RepoFacts(
        remote=shown(section.remote),
        branch=section.branch,
        commit=commit,
        tag=tag,
        remote_head=head,
        tag_object=made,
        tag_commit=None if refs is None else refs.get(f"{wanted}^{{}}", made or ""),
        refused="" if refs is not None else shown(answer.said) or f"git ended with {answer.status}",
        clone=clone is not None,
        committed_at=clone.committed_at() if clone else "",
        ancestor=clone.is_behind(head) if clone and head else None,
        ancestor_allowed=section.allow_tagged_ancestor,
        signed_wanted=section.require_signed_tag,
        tag_signed=signed,
        tag_said=said,
    )


def listed(text: str) -> Mapping[str, str]:
    """Return ref -> hash of what `git ls-remote` prints; a pattern also finds refs that only end alike."""
    found = {}
    for line in text.splitlines():
        value, _, name = line.partition("\t")
        if is_commit(value):
            found[name] = value
    return found


def _signed(
    target: Target, git: Git, clone: clones.Clone | None, made: str | None
) -> tuple[bool | None, str]:
    """Verify the tag object that the remote has, in the clone; None when the clone does not have it."""
    if clone is None or not made:
        return None, f"{clones.where(target)} does not have the tag"
    if git.read(clone.path, "cat-file", "-t", made).text.strip() != "tag":
        known = git.read(clone.path, "cat-file", "-e", made).status == 0
        return (
            (False, "it is a light tag, which cannot be signed")
            if known
            else (None, "the clone lacks the tag")
        )
    options: tuple[str, ...] = ("-c", "gpg.program=gpg", "-c", "gpg.ssh.program=ssh-keygen")
    if target.repo.allowed_signers:
        signers = target.file(target.repo.allowed_signers)
        options += ("-c", f"gpg.ssh.allowedSignersFile={signers}")
    done = git.read(clone.path, "verify-tag", made, options=options)
    return done.status == 0, done.said
