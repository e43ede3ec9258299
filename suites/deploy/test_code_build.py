"""Deploy: code preparation, how the released images were built and what they are like."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.evidence_files import later_s
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.builds import Build, BuildsFacts
    from pytest_deploycheck.probes.image_registry import RegistryFacts

BUILD = "Build process verified"


@pytest.mark.checklist("deploy.code.build", text=BUILD)
def test_build(builds_facts: BuildsFacts, limits: Limits, now: datetime) -> None:
    """Each image that is built here came out of a build that succeeded, of the released commit and nothing else.

    Where provenance is wanted, somebody whose key we know has signed it.
    """
    facts = builds_facts
    assert facts.built, "no image of the release is built here: build.third_party names them all"
    for service, digest in facts.built:
        found = facts.of(service)
        assert found, f"no record of a build of {service}; is it somebody else's? See build.third_party"
        about = [build for build in found if digest in build.record.digests]
        made = ", ".join(one[:19] for build in found for one in build.record.digests) or "nothing"
        assert about, f"the build of {service} made {made}…, the release is {digest[:19]}…"
        for build in about:
            _clean(build, facts, limits, now)
        if facts.provenance_wanted:
            signed = [build.signed for build in about if build.record.kind == "slsa"]
            assert signed, f"there is no provenance of {service} {digest[:19]}…"
            if None in signed:
                unproven(Reason.NO_CONFIG, "no build.provenance_key to verify provenance with; add it")
            assert any(signed), (
                f"the provenance of {service} {digest[:19]}… is not signed by build.provenance_key"
            )


def _clean(build: Build, facts: BuildsFacts, limits: Limits, now: datetime) -> None:
    origin, record = build.origin, build.record
    assert record.succeeded is not False, f"{origin.file}: the build of {build.service} failed"
    assert origin.intact is not False, f"{origin.file} was changed after its envelope was written"
    assert not origin.disputed, f"{origin.file} is about {origin.commit}, and about {origin.disputed}"
    clean = origin.clean if record.clean is None else record.clean
    assert clean is not False, f"{origin.file}: {build.service} was built of a working tree with changes"
    if not origin.commit:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say which commit was built; see envelopes")
    assert origin.commit == facts.commit, f"{origin.file}: built of {origin.commit}, not of {facts.commit}"
    started = origin.started_at
    if started and facts.committed_at:
        assert later_s(facts.committed_at, started) >= -limits.evidence_future_max_s, (
            f"{origin.file}: the build started at {started}, before the commit was made at {facts.committed_at}"
        )
    if started:
        ahead_s = (datetime.fromisoformat(started) - now).total_seconds()
        assert ahead_s <= limits.evidence_future_max_s, f"{origin.file} is of the future: {started}"
    missing = [
        what
        for what, known in (
            ("how it ended", record.succeeded),
            ("whether the working tree was clean", clean),
            ("when it started", started or None),
        )
        if known is None
    ]
    if missing:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say {missing[0]}")
    if not facts.committed_at:
        unproven(Reason.NO_CONFIG, f"nothing says when {facts.commit} was made; set repo.clone")


@pytest.mark.checklist("deploy.code.build", text=BUILD)
def test_build_registry(registry_facts: RegistryFacts) -> None:
    """In the registry the release's tag names the released image, now."""
    facts = registry_facts
    assert facts.images, "no image of the release is built here"
    for image in facts.images:
        if image.tagged is None:
            unproven(
                Reason.NO_ACCESS,
                f"{facts.url} did not say what {image.repository}:{image.tag} is: {image.why}",
            )
        assert image.tagged, f"{facts.url} has no {image.repository}:{image.tag}"
        assert image.tagged == image.digest, (
            f"{image.repository}:{image.tag} is {image.tagged[:19]}… at {facts.url}, "
            f"the release of {image.service} is {image.digest[:19]}…"
        )


@pytest.mark.checklist("deploy.code.build", text=BUILD)
def test_build_image(registry_facts: RegistryFacts) -> None:
    """The released image says which commit it is and when it was made, runs as nobody special, and holds no secret."""
    facts = registry_facts
    for image in facts.images:
        name = f"{image.service}'s image {image.digest[:19]}…"
        if image.config is None and facts.architecture not in (image.architectures or (facts.architecture,)):
            made = ", ".join(image.architectures)
            assert facts.architecture in image.architectures, (
                f"{name} is made for {made}, not {facts.architecture}"
            )
        if image.config is None:
            unproven(Reason.NO_ACCESS, f"the configuration of {name} could not be read: {image.why}")
        config = image.config
        assert config.architecture == facts.architecture, (
            f"{name} is made for {config.architecture}, not for {facts.architecture}"
        )
        assert config.revision, f"{name} has no label org.opencontainers.image.revision"
        assert config.revision == facts.commit, (
            f"{name} was built of {config.revision}, not of {facts.commit}"
        )
        assert config.created_label or config.created_at, f"{name} does not say when it was made"
        assert not (facts.require_nonroot and config.root), f"{name} runs as root (User {config.user!r})"
        assert not config.secrets, (
            f"{name} holds secrets: {', '.join(f'{what} in its {where}' for where, what in config.secrets[:5])}"
        )
    assert facts.images, "no image of the release is built here"


@pytest.mark.checklist("deploy.code.build", text=BUILD)
def test_build_third_party(builds_facts: BuildsFacts) -> None:
    """What others build is released by its digest, and the Compose files name it by one."""
    facts = builds_facts
    for service, digest in facts.third_party:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest), (
            f"{service} is released as {digest[:80]}, not by digest"
        )
    for one in facts.references:
        assert one.pinned is not False, (
            f"{one.service} runs {one.image}, whose tag may name another image tomorrow"
        )
    open_ones = [one for one in facts.references if one.pinned is None]
    if open_ones:
        unproven(
            Reason.NO_EVIDENCE, f"{open_ones[0].service} runs {open_ones[0].image}, which a variable decides"
        )
    assert facts.built or facts.third_party
