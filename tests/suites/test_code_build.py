"""The checks of builds and images against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.build_records import Record
from pytest_deploycheck.probes.builds import Build, BuildsFacts, Reference
from pytest_deploycheck.probes.evidence_files import Origin
from pytest_deploycheck.probes.image_configs import ImageConfig
from pytest_deploycheck.probes.image_registry import RegistryFacts, RegistryImage
from tests.suites.checks import suite

CHECKS = suite("deploy/test_code_build.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SHA, OTHER = "a1" * 20, "b2" * 20
DIGEST, OLD = "sha256:" + "d4" * 32, "sha256:" + "e5" * 32


def stamp(**ago: float) -> str:
    """Return a moment so long ago."""
    return (NOW - timedelta(**ago)).isoformat()


ORIGIN = Origin("api.json", SHA, "", stamp(hours=1), stamp(hours=2), "ci", True, True, (), "", None)
RECORD = Record("record", "api", "r/api:1", (DIGEST,), SHA, True, True, stamp(hours=2), stamp(hours=1), "ci")
BUILD = Build(ORIGIN, "api", RECORD, None)
SIGNED = replace(BUILD, record=replace(RECORD, kind="slsa"), signed=True)
BUILDS = BuildsFacts(
    commit=SHA,
    committed_at=stamp(hours=3),
    built=(("api", DIGEST),),
    third_party=(("db", OLD),),
    builds=(BUILD,),
    references=(Reference("db", f"postgres@{OLD}", True),),
    provenance_wanted=False,
)


def build(**changes: Any) -> BuildsFacts:
    """Return facts in which the build differs, in its record or else in its origin."""
    own = {key: value for key, value in changes.items() if hasattr(RECORD, key) and not hasattr(ORIGIN, key)}
    own |= {key: changes[key] for key in ("clean",) if key in changes}
    of_origin = {key: value for key, value in changes.items() if hasattr(ORIGIN, key)}
    made = replace(BUILD, origin=replace(ORIGIN, **of_origin), record=replace(RECORD, **own))
    return replace(BUILDS, builds=(made,))


def judge(facts: BuildsFacts) -> None:
    """Run both checks of records."""
    CHECKS["test_build"](builds_facts=facts, limits=LIMITS, now=NOW)
    CHECKS["test_build_third_party"](builds_facts=facts)


@pytest.mark.parametrize(
    "facts",
    [
        BUILDS,
        build(intact=None),
        replace(BUILDS, builds=(replace(BUILD, record=replace(RECORD, clean=None)),)),  # the envelope says it
        replace(BUILDS, builds=(replace(BUILD, record=replace(RECORD, digests=(OLD,))), BUILD)),
        replace(BUILDS, builds=(BUILD, SIGNED), provenance_wanted=True),
        replace(BUILDS, third_party=(), references=()),
    ],
)
def test_builds_that_pass(facts: BuildsFacts) -> None:
    """With and without envelopes, older records beside, signed provenance, nothing of others."""
    judge(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(BUILDS, built=()), AssertionError, "no image of the release is built here"),
        (replace(BUILDS, builds=()), AssertionError, "no record of a build of api"),
        (build(digests=(OLD,)), AssertionError, "the build of api made"),
        (build(succeeded=False), AssertionError, "failed"),
        (build(succeeded=None), Unproven, "how it ended"),
        (build(clean=False), AssertionError, "working tree with changes"),
        (build(clean=None), Unproven, "was clean"),
        (build(commit=OTHER), AssertionError, f"built of {OTHER}"),
        (build(commit=""), Unproven, "which commit"),
        (build(disputed=OTHER), AssertionError, "and about"),
        (build(intact=False), AssertionError, "was changed"),
        (build(started_at=stamp(hours=4)), AssertionError, "before the commit"),
        (build(started_at=stamp(hours=-1)), AssertionError, "of the future"),
        (build(started_at=""), Unproven, "when it started"),
        (replace(BUILDS, committed_at=""), Unproven, r"repo\.clone"),
        (replace(BUILDS, provenance_wanted=True), AssertionError, "there is no provenance"),
        (
            replace(BUILDS, provenance_wanted=True, builds=(replace(SIGNED, signed=False),)),
            AssertionError,
            "not signed",
        ),
        (
            replace(BUILDS, provenance_wanted=True, builds=(replace(SIGNED, signed=None),)),
            Unproven,
            "provenance_key",
        ),
        (replace(BUILDS, third_party=(("db", "17"),)), AssertionError, "db is released as 17"),
        (replace(BUILDS, references=(Reference("db", "postgres:17", False),)), AssertionError, "tomorrow"),
        (replace(BUILDS, references=(Reference("db", "$IMAGE", None),)), Unproven, "a variable"),
    ],
)
def test_builds_that_are_not_proven(facts: BuildsFacts, error: type[Exception], words: str) -> None:
    """No record, another image, a dirty tree, another commit, impossible times, no signature, a tag."""
    with pytest.raises(error, match=words):
        judge(facts)


CONFIG = ImageConfig("amd64", "10001", stamp(hours=1), SHA, True, (), 9)
IMAGE = RegistryImage("api", "shop/api", "1.4.2", DIGEST, DIGEST, ("amd64",), CONFIG, "")
REGISTRY = RegistryFacts("https://r.example", SHA, "amd64", True, (IMAGE,))


def image(**changes: Any) -> RegistryFacts:
    """Return facts in which the image differs, in its configuration where that has the field."""
    config = {key: value for key, value in changes.items() if hasattr(CONFIG, key)}
    rest = {key: value for key, value in changes.items() if key not in config}
    if config:
        rest["config"] = replace(CONFIG, **config)
    return replace(REGISTRY, images=(replace(IMAGE, **rest),))


def judge_image(facts: RegistryFacts) -> None:
    """Run both checks of the registry."""
    CHECKS["test_build_registry"](registry_facts=facts)
    CHECKS["test_build_image"](registry_facts=facts)


@pytest.mark.parametrize(
    "facts",
    [
        REGISTRY,
        image(created_label=False),
        image(created_at=""),
        replace(image(user=""), require_nonroot=False),
        image(architectures=("amd64", "arm64")),
    ],
)
def test_images_that_pass(facts: RegistryFacts) -> None:
    """For one processor or several; as root only where that is allowed."""
    judge_image(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(REGISTRY, images=()), AssertionError, "no image"),
        (image(tagged=OLD), AssertionError, "shop/api:1.4.2 is"),
        (image(tagged=""), AssertionError, "has no shop/api:1.4.2"),
        (image(tagged=None, why="refused"), Unproven, "refused"),
        (image(config=None, why="refused"), Unproven, "refused"),
        (image(config=None, architectures=("arm64",)), AssertionError, "made for arm64"),
        (image(architecture="arm64"), AssertionError, "made for arm64"),
        (image(revision=""), AssertionError, "has no label"),
        (image(revision=OTHER), AssertionError, f"built of {OTHER}"),
        (image(created_label=False, created_at=""), AssertionError, "when it was made"),
        (image(user=""), AssertionError, "runs as root"),
        (image(user="0:1000"), AssertionError, "runs as root"),
        (image(secrets=(("history", "NPM_TOKEN"),)), AssertionError, "NPM_TOKEN in its history"),
    ],
)
def test_images_that_are_not_proven(facts: RegistryFacts, error: type[Exception], words: str) -> None:
    """Another digest behind the tag, another commit, another processor, root, a secret; no answer proves nothing."""
    with pytest.raises(error, match=words):
        judge_image(facts)
