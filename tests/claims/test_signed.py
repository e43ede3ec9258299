"""Signed files: each counts as it was signed, and not any other way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.claims import judge
from pytest_deploycheck.claims.envelope import Envelope, EnvelopeError, Where, parse
from pytest_deploycheck.claims.read import read
from pytest_deploycheck.claims.signatures import NAMESPACE, Status, Trust
from pytest_deploycheck.claims.signed import SignedFile
from tests.claims.people import NOW, RELEASE, People

ITEM = "operations.backup.restore"


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> People:
    """Return people whose keys are made once."""
    return People(tmp_path_factory.mktemp("people"))


@pytest.fixture
def people(everybody: People, tmp_path: Path) -> People:
    """Return the people with an empty directory of claims and their own lists."""
    fresh = People.__new__(People)
    fresh.folder, fresh.claims = everybody.folder, tmp_path / "claims"
    fresh.claims.mkdir()
    signers = tmp_path / "allowed_signers"
    signers.write_text(everybody.trust.allowed_signers.read_text())
    fresh.trust, fresh.roles = Trust(signers), everybody.roles
    return fresh


def only(people: People, **changes: Any) -> SignedFile:
    """Read the one file that there is."""
    (file,) = read(people.claims, people.trust, people.context(**changes))
    return file


def test_a_signed_record_counts(people: People) -> None:
    """Right signer, right role, right binding: no problem."""
    people.write("a", people.envelope(ITEM, "devops"))
    file = only(people)
    assert (file.problems, file.differs, file.signatures[0].status) == ((), (), Status.OK)


def flip(path: Path) -> None:
    """Change one byte of the statement."""
    path.write_bytes(path.read_bytes().replace(b"It is so.", b"It is no."))


def unsign(path: Path) -> None:
    """Take the signature away."""
    path.with_name(path.name + ".sig").unlink()


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        (flip, Status.BAD, "changed after it was signed"),
        (unsign, Status.MISSING, "not signed"),
        (lambda path: path.with_name(path.name + ".sig").write_text("rubbish"), Status.BAD, "changed"),
    ],
)
def test_changed_files_do_not_count(
    people: People, change: Callable[[Path], object], status: Status, why: str
) -> None:
    """A changed file and one without a signature are told apart."""
    change(people.write("a", people.envelope(ITEM, "devops")))
    file = only(people)
    assert file.signatures[0].status == status
    assert why in "; ".join(file.problems)
    assert file.tampered is (status is Status.BAD)


def test_another_purpose(people: People) -> None:
    """A signature that was made for something else, such as a git commit, counts for nothing here."""
    path = people.write("a", people.envelope(ITEM, "devops"))
    path.with_name("a.json.sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(people.key("devops")), "-n", "git", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    assert NAMESPACE != "git"
    assert only(people).signatures[0].status == Status.WRONG_NAMESPACE


def test_another_persons_key(people: People) -> None:
    """Who signs for somebody else is not believed, although the key is known."""
    people.write("a", people.envelope(ITEM, "devops"), key="qa")
    assert only(people).signatures[0].status == Status.UNKNOWN_KEY


@pytest.mark.parametrize("days", [-3650, -1])
def test_expired_keys(people: People, days: int) -> None:
    """A key that has ended counts neither for what was signed after its end nor for what was signed before."""
    end = NOW + timedelta(days=days)
    text = people.trust.allowed_signers.read_text()
    people.trust.allowed_signers.write_text(
        text.replace("devops@test ", f'devops@test valid-before="{end:%Y%m%d%H%M%S}Z" ')
    )
    people.write("a", people.envelope(ITEM, "devops", produced_at=NOW - timedelta(days=2)))
    assert only(people).signatures[0].status == Status.EXPIRED_KEY


def test_revoked_keys(people: People, tmp_path: Path) -> None:
    """A key on the list of revoked ones is worth nothing."""
    revoked = tmp_path / "revoked"
    revoked.write_text(people.key("devops").with_suffix(".pub").read_text())
    people.trust = Trust(people.trust.allowed_signers, revoked)
    people.write("a", people.envelope(ITEM, "devops"))
    assert only(people).signatures[0].status == Status.REVOKED_KEY


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"item": "operations.backup.restored"}, "no item"),
        ({"item_fingerprint": "0" * 12}, "text of item"),
        ({"target": Where(name="staging", environment="production")}, "target 'staging'"),
        ({"target": Where(name="prod", environment="staging")}, "environment 'staging'"),
        ({"produced_at": NOW + timedelta(hours=1)}, "future"),
        ({"valid_until": NOW}, "expired"),
        ({"valid_until": NOW - timedelta(hours=2)}, "before it begins"),
    ],
)
def test_bindings(people: People, changes: dict[str, Any], why: str) -> None:
    """Change any field of what it is bound to, and it no longer counts, and the report says which."""
    people.write("a", people.envelope(ITEM, "devops", **changes))
    assert why in "; ".join(only(people).problems)


def test_expiry_is_to_the_second(people: People) -> None:
    """It counts until the second before its end."""
    people.write("a", people.envelope(ITEM, "devops", valid_until=NOW + timedelta(seconds=10)))
    assert only(people, now=NOW + timedelta(seconds=9)).problems == ()
    assert "expired" in "; ".join(only(people, now=NOW + timedelta(seconds=10)).problems)


@pytest.mark.parametrize(
    ("release", "why"),
    [
        ({"version": "1.4.3"}, "version 1.4.2 is not 1.4.3"),
        ({"commit": "d" * 40}, "commit"),
        ({"contract": "0x02"}, "contract 0x01 is not 0x02"),
        ({"images": {"app": "sha256:bb"}}, "image of app"),
        ({"images": {"app": "sha256:aa", "worker": "sha256:cc"}}, "image of worker (none)"),
    ],
)
def test_another_release(people: People, release: dict[str, Any], why: str) -> None:
    """Each field of the release that differs is named with both values."""
    people.write("a", people.envelope(ITEM, "devops"))
    file = only(people, release=RELEASE.model_copy(update=release))
    assert len(file.differs) == 1
    assert why in file.differs[0]


def test_artifacts(people: People) -> None:
    """A file that it names must be there, unchanged, and its own."""
    import hashlib

    content = people.claims / "report.xml"
    content.write_text("<a/>")
    digest = hashlib.sha256(b"<a/>").hexdigest()
    artifact = {"path": "report.xml", "sha256": digest}
    outside = {"path": "../allowed_signers", "sha256": digest}
    people.write("a", people.envelope(ITEM, "devops", artifacts=[artifact]))
    assert only(people).problems == ()
    content.write_text("<b/>")
    assert only(people).tampered
    content.unlink()
    assert "is missing" in "; ".join(only(people).problems)
    people.write("a", people.envelope(ITEM, "devops", artifacts=[outside]))
    assert "outside" in "; ".join(only(people).problems)


def test_roles(people: People) -> None:
    """A person speaks in a role that she holds, or that was delegated to hers."""
    people.write("a", people.envelope(ITEM, "devops"))
    nobody = people.roles.model_copy(update={"roles": {"cto": ["devops@test"]}})
    assert "does not hold the role devops" in "; ".join(only(people, roles=nobody).problems)
    delegated = nobody.model_copy(update={"delegated": {"devops": "cto"}})
    assert only(people, roles=delegated).problems == ()


WAIVED = "post_deploy.performance.latency"


@pytest.mark.parametrize(
    ("kind", "item", "role", "changes", "why"),
    [
        ("waiver", WAIVED, "techlead", {"requested_by": "devops@test"}, ""),
        ("waiver", WAIVED, "techlead", {}, "who asked"),
        ("waiver", WAIVED, "techlead", {"requested_by": "techlead@test"}, "asked for it and approved"),
        ("waiver", WAIVED, "devops", {"requested_by": "qa@test"}, "accepted by techlead"),
        (
            "waiver",
            "post_deploy.security.headers",
            "techlead",
            {"requested_by": "qa@test"},
            "security or cto",
        ),
        ("waiver", "post_deploy.security.headers", "security", {"requested_by": "qa@test"}, ""),
        ("waiver", "post_deploy.security.authz", "cto", {"requested_by": "qa@test"}, "never accepted"),
        (
            "waiver",
            WAIVED,
            "cto",
            {"requested_by": "qa@test", "valid_until": NOW + timedelta(days=200)},
            "longer than 180",
        ),
        ("attestation", "go_live.communication.support", "operations", {}, ""),
        ("attestation", "go_live.communication.support", "pm", {}, "vouched for by operations"),
        ("attestation", "post_deploy.functional.health", "cto", {}, "nobody's word"),
        ("not_applicable", "go_live.mobile.stores", "compliance", {}, ""),
        ("not_applicable", "go_live.mobile.stores", "devops", {}, "declared by"),
        ("not_applicable", "sign_off.final.cto", "cto", {}, "never out of scope"),
    ],
)
def test_rules(people: People, kind: str, item: str, role: str, changes: dict[str, Any], why: str) -> None:
    """Each kind has its rules, and each breach its sentence."""
    people.write("a", people.envelope(item, role, kind=kind, **changes))
    (claim,) = judge.claims(read(people.claims, people.trust, people.context()))
    assert (why in claim.problem) if why else not claim.problem, claim.problem


def test_the_newest_of_two_counts(people: People) -> None:
    """Of several claims of one kind and item only the newest counts, and the other names it."""
    base = people.envelope("go_live.mobile.stores", "cto", kind="not_applicable")
    people.write("old", base.model_copy(update={"produced_at": NOW - timedelta(days=2)}))
    people.write("new", base)
    new, old = judge.claims(read(people.claims, people.trust, people.context()))
    assert (new.origin, new.problem) == ("new.json", "")
    assert "newer one: new.json" in old.problem


def test_a_claim_for_another_release_does_not_count(people: People) -> None:
    """Claims are bound to the release."""
    people.write("a", people.envelope("go_live.mobile.stores", "cto", kind="not_applicable"))
    other = RELEASE.model_copy(update={"version": "2.0"})
    (claim,) = judge.claims(read(people.claims, people.trust, people.context(release=other)))
    assert "another release: version" in claim.problem


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not JSON"),
        (b"[]", "format None"),
        (b'{"format": "deploycheck.evidence/v1"}', "no expiry"),
        (b'{"format": "a", "format": "b"}', "given twice"),
        (b"[" * 100_000, "nested more than"),
        (b" " * 300_000, "larger than"),
    ],
)
def test_what_is_no_envelope(content: bytes, why: str) -> None:
    """A file that is none is refused with the reason."""
    with pytest.raises(EnvelopeError, match=why):
        parse(content, "a.json")


def test_unknown_fields_are_refused(people: People) -> None:
    """A misspelt field must not be ignored."""
    envelope = people.envelope(ITEM, "devops")
    content = envelope.to_bytes().replace(b'"requested_by"', b'"requestet_by"')
    with pytest.raises(EnvelopeError, match="requestet_by"):
        parse(content, "a.json")
    assert isinstance(parse(envelope.to_bytes(), "a.json"), Envelope)
    assert replace(SignedFile("a", ""), error="x").error == "x"
