"""Sign-offs: ten roles in order, over a ledger; every way in which one stops to count."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.check import Unproven
from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims import of_target, sign, sign_off, write
from pytest_deploycheck.claims.commands import ClaimRefused
from pytest_deploycheck.claims.scope import SCOPES
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.evidence import EvidenceFacts
from pytest_deploycheck.probes.ledger import LedgerFacts
from pytest_deploycheck.probes.ledger import ledger as ledger_probe
from pytest_deploycheck.record import Record, digest
from pytest_deploycheck.target import Target, load
from tests.claims.people import People

TARGET = """
[target]
name = "prod"
environment = "production"
base_url = "https://shop.test"
[release]
version = "1.4.2"
commit = "abc"
deployed_by = "devops@test"
authors = ["backend@test"]
go_live_at = {go_live}
[ledger]
path = "ledger.jsonl"
[claims]
dir = "claims"
roles = "roles.toml"
allowed_signers = "allowed_signers"
"""


@dataclass
class World:
    """A project with a ledger and people who sign."""

    folder: Path
    people: People

    @property
    def target(self) -> Target:
        """The target file's content."""
        return load(self.folder / "target.toml")

    def run(self, **verdicts: str) -> None:
        """Enter a run in which everything but the sign-offs passed, with exceptions."""
        target = self.target
        items = {item.id: "passed" for item in default().items if item.phase != "sign_off"}
        record = Record(
            tool={"name": "t", "version": "1"},
            run={"id": "r", "finished_at": datetime.now(UTC).isoformat()},
            target={
                "name": "prod",
                "environment": "production",
                "config_digest": digest(target.model_dump(mode="json")),
            },
            release=of_target.release(target).model_dump(),
            checklist={"digest": default().digest},
            selection=(),
            decision={"decision": "GO"},
            items=[{"item": item, "verdict": verdict} for item, verdict in {**items, **verdicts}.items()],
        )
        ledgers.append(self.folder / "ledger.jsonl", record)

    def sign(self, role: str, **facts: Any) -> Path:
        """Sign in a role as the command does."""
        files = of_target.signed_files(self.target, default(), datetime.now(UTC))
        made = sign.sign_off(
            role, f"{role}@test", self.target, default(), files, "Good.", facts, datetime.now(UTC)
        )
        return write.write(made, self.folder / "claims", self.people.key(role))

    def sign_all(self) -> None:
        """Sign in every role, in order."""
        for role in SCOPES:
            self.sign(role)

    def facts(self, now: datetime | None = None) -> tuple[EvidenceFacts, LedgerFacts]:
        """Return what the two probes see."""
        target, now = self.target, now or datetime.now(UTC)
        view = ledgers.read(self.folder / "ledger.jsonl")
        roles = of_target.roles(target)
        evidence = EvidenceFacts(
            directory="claims",
            files=of_target.signed_files(target, default(), now),
            roles=tuple((role, roles.holders(role)) for role in SCOPES),
            deployed_by=target.release.deployed_by,
            authors=tuple(target.release.authors),
            go_live_at=target.release.go_live_at.isoformat() if target.release.go_live_at else "",
        )
        ledger = LedgerFacts(
            entries=view.entries,
            length=len(view.entries),
            head=view.head,
            broken=view.broken,
            torn=0,
            release=ledgers.release_digest(of_target.release(target).model_dump()),
            config=digest(target.model_dump(mode="json")),
            items=tuple(item.id for item in default().items),
        )
        return evidence, ledger

    def judge(self, role: str, now: datetime | None = None) -> str:
        """Return what is wrong with a role's sign-off; nothing when it stands."""
        now = now or datetime.now(UTC)
        evidence, ledger = self.facts(now)
        try:
            for condition in sign_off.conditions_of(role, evidence, ledger, Limits(), now):
                if condition.seen != condition.wanted:
                    return condition.sentence
        except Unproven as why:
            return why.message
        return ""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> People:
    """Return people whose keys are made once."""
    return People(tmp_path_factory.mktemp("people"))


@pytest.fixture
def world(keys: People, tmp_path: Path) -> World:
    """Return a project with one green run."""
    go_live = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    (tmp_path / "target.toml").write_text(TARGET.format(go_live=go_live))
    (tmp_path / "allowed_signers").write_text(keys.trust.allowed_signers.read_text())
    lines = [f"{role} = {json.dumps(people)}" for role, people in keys.roles.roles.items()]
    (tmp_path / "roles.toml").write_text("\n".join(["[roles]", *lines, ""]))
    made = World(tmp_path, keys)
    made.run()
    return made


def test_ten_signatures_stand(world: World) -> None:
    """Signed in order over a green run, all stand, also after a later green run."""
    world.sign_all()
    world.run()
    assert {role: world.judge(role) for role in SCOPES} == dict.fromkeys(SCOPES, "")


def test_the_probe_sees_the_same(world: World) -> None:
    """The ledger's probe makes the facts that these tests make up."""

    class Connect:
        def socket_allowed(self, *words: str) -> None:
            """Allow everything."""

    assert ledger_probe.function(world.target, Connect()) == world.facts()[1]


def test_nobody_signs_for_what_is_open(world: World) -> None:
    """A role is not let to sign while an item of its scope is open, and is told which."""
    world.run(**{"post_deploy.security.headers": "failed"})
    with pytest.raises(ClaimRefused, match=r"post_deploy.security.headers: failed"):
        world.sign("security")
    assert world.sign("devops").is_file()


def test_order_is_kept(world: World) -> None:
    """Who signs after others waits for them."""
    with pytest.raises(ClaimRefused, match="techlead signs after devops"):
        world.sign("techlead")


def edit_config(world: World) -> None:
    """Change a limit of the target file."""
    path = world.folder / "target.toml"
    path.write_text(path.read_text() + "[limits]\nlatency_p95_s = 2\n")


def edit_release(world: World) -> None:
    """Release another commit."""
    path = world.folder / "target.toml"
    path.write_text(path.read_text().replace('"abc"', '"abd"'))
    world.run()


def add_waiver(world: World) -> None:
    """Accept a failure after the signatures."""
    target = world.target
    made = write.envelope(
        "post_deploy.performance.latency",
        checklist=default(),
        where=write.Where(name="prod", environment="production"),
        release=of_target.release(target),
        kind="waiver",
        producer=write.Producer(principal="techlead@test", role="techlead"),
        statement="Slow.",
        now=datetime.now(UTC),
        valid=timedelta(days=7),
        requested_by="qa@test",
    )
    write.write(made, world.folder / "claims", world.people.key("techlead"))


def break_ledger(world: World) -> None:
    """Change a verdict in the ledger."""
    path = world.folder / "ledger.jsonl"
    path.write_text(path.read_text().replace('"passed"', '"failed"', 1))


def other_ledger(world: World) -> None:
    """Put another ledger in the place of the one that was signed over."""
    (world.folder / "ledger.jsonl").unlink()
    world.run()


def sign_again(world: World) -> None:
    """Let QA sign a second time, after the others."""
    path = sorted((world.folder / "claims").glob("sign_off-sign-off-technical-qa*.json"))[0]
    values = json.loads(path.read_text())
    values["produced_at"] = datetime.now(UTC).isoformat()
    new = path.with_name("sign_off-later.json")
    new.write_text(json.dumps(values))
    from pytest_deploycheck.claims.signatures import sign as sign_file

    sign_file(new, world.people.key("qa"))


def touch(name: str) -> Callable[[World], None]:
    """Change one byte of a role's sign-off."""

    def change(world: World) -> None:
        (path,) = (world.folder / "claims").glob(f"sign_off-*{name}-*.json")
        path.write_bytes(path.read_bytes().replace(b"Good.", b"Goof."))

    return change


def same_person(world: World) -> None:
    """Let who deployed be the CTO."""
    path = world.folder / "roles.toml"
    path.write_text(path.read_text().replace('cto = ["cto@test"]', 'cto = ["cto@test", "devops@test"]'))
    (old,) = (world.folder / "claims").glob("sign_off-*cto-*.json")
    values = json.loads(old.read_text())
    values["producer"]["principal"] = "devops@test"
    old.write_text(json.dumps(values))
    from pytest_deploycheck.claims.signatures import sign as sign_file

    sign_file(old, world.people.key("devops"))


def later_failure(world: World) -> None:
    """Enter a run in which something in everybody's scope fails."""
    world.run(**{"post_deploy.functional.token": "failed"})


@pytest.mark.parametrize(
    ("role", "change", "why"),
    [
        ("devops", edit_config, "target file was changed"),
        ("devops", edit_release, "another release"),
        ("devops", add_waiver, "waivers or declarations were changed"),
        ("devops", break_ledger, "chain does not hold"),
        ("devops", other_ledger, "not this one"),
        ("devops", touch("devops"), "changed after it was signed"),
        ("cto", touch("devops"), "sign_off.technical.devops does not stand"),
        ("product", sign_again, "another sign-off of sign_off.technical.qa"),
        ("cto", same_person, "deployed the release"),
        ("backend", later_failure, "1 items in scope are open now: post_deploy.functional.token failed"),
    ],
)
def test_what_undoes_a_signature(world: World, role: str, change: Callable[[World], None], why: str) -> None:
    """Any byte that it covers, any later failure, and its word no longer counts."""
    world.sign_all()
    change(world)
    assert why in world.judge(role)


def test_unsigned_says_how(world: World) -> None:
    """Before anybody signed, the item says who signs, and with what."""
    assert "devops@test signs with: deploycheck sign devops" in world.judge("devops")


@pytest.mark.parametrize(("role", "days"), [("devops", 7.1), ("cto", 2.1)])
def test_signatures_end(world: World, role: str, days: float) -> None:
    """Technical signatures end after a week, the last one a day after go-live."""
    world.sign_all()
    assert world.judge(role, datetime.now(UTC) + timedelta(days=days)) != ""


def test_signed_long_after_the_run(world: World) -> None:
    """A signature over a run of the day before yesterday is none."""
    world.sign("devops")
    evidence, ledger = world.facts()
    old = replace(ledger.entries[0], time=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    found = [
        condition.sentence
        for condition in sign_off.conditions_of(
            "devops", evidence, replace(ledger, entries=(old,)), Limits(), datetime.now(UTC)
        )
        if condition.seen != condition.wanted
    ]
    assert "48 h after its run" in found[0]
