"""Checks of the certificate and its renewal as functions of made-up facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits, Recorded
from pytest_deploycheck.probes.acme_facts import AcmeFacts, Schedule, Stored
from pytest_deploycheck.probes.certificates import CertificateFacts
from pytest_deploycheck.probes.tls import Served, TlsFacts
from tests.suites.checks import suite

SUITE = "pre_deploy/test_infrastructure_cert.py"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "token.example.com"


def leaf(age_d: float = 10, life_d: float = 90, **changes: Any) -> CertificateFacts:
    """Return a certificate of some age and lifetime."""
    start = NOW - timedelta(days=age_d)
    made = CertificateFacts(
        subject=f"CN={NAME}",
        issuer="CN=R11,O=Let's Encrypt,C=US",
        sha256="a" * 64,
        not_before=start.isoformat(),
        not_after=(start + timedelta(days=life_d)).isoformat(),
        names=(NAME,),
        key="EC prime256v1",
        key_bits=256,
        signature_hash="sha256",
        eku=("serverAuth",),
        scts=2,
        self_signed=False,
    )
    return replace(made, **changes)


LEAF = leaf()
STORED = Stored(
    renewer="certbot",
    name=NAME,
    file=f"/etc/letsencrypt/live/{NAME}/fullchain.pem",
    chain=(LEAF,),
    key_file=f"/etc/letsencrypt/live/{NAME}/privkey.pem",
    key_matches=True,
    key_mode="600",
    key_owner="root:root",
    version=3,
    authority="https://acme-v02.api.letsencrypt.org/directory",
    authenticator="webroot",
    reloads="deploy hook",
)
TIMER = Schedule("timer", "certbot.timer", "certbot", True, "", (NOW - timedelta(hours=5)).isoformat(), True)
ACME = AcmeFacts(
    names=(NAME,), renewer="auto", renewed_by="", allowed_issuers=(), looked_in=("/etc/letsencrypt/live/*",),
    stored=(STORED,), schedules=(TIMER,), denied=(), log_errors=(), on_port={},
)  # fmt: skip
SERVED = Served(
    endpoint=f"{NAME}:443", address="192.0.2.1", connected=True,
    no_route=False, error="", version="TLSv1.3", cipher="x", alpn="h2",
    chain=(LEAF,), in_order=True, names_match=True, trusted=True, trust_error="",
)  # fmt: skip
TLS = TlsFacts(
    private=False,
    store="Mozilla (certifi)",
    served=(SERVED,),
    strangers=(),
    clock_skew_s=0.0,
    own=(NAME,),
    alike=True,
    lifetime=None,
)


def judge(acme: AcmeFacts = ACME, tls: TlsFacts = TLS, **limits: float) -> None:
    """Run every check of the file, some limits changed."""
    values: dict[str, Any] = {
        "acme_facts": acme,
        "tls_facts": tls,
        "limits": Recorded(Limits().model_copy(update=limits), "test"),
        "now": NOW,
    }
    for function in suite(SUITE).values():
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        function(**{key: values[key] for key in wanted})


def both(found: CertificateFacts, **changes: Any) -> tuple[AcmeFacts, TlsFacts]:
    """Return facts of a certificate that is kept and served."""
    stored = replace(STORED, chain=(found,), **changes)
    return replace(ACME, stored=(stored,)), replace(TLS, served=(replace(SERVED, chain=(found,)),))


def kept(**changes: Any) -> AcmeFacts:
    """Return facts of a certificate kept in another way."""
    return replace(ACME, stored=(replace(STORED, **changes),))


def test_certbots_certificate_passes() -> None:
    """The usual certificate with the usual timer passes."""
    judge()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (leaf(81), "has 10% of its life left"),
        (leaf(91), "is valid from"),
        (leaf(-1), "is valid from"),
        (leaf(4.8, 6), "has 20% of its life left"),
        (leaf(1, 398), "lives 398 days; the rules allow 200"),
        (leaf(1, 90, issuer="CN=(STAGING) Wannabe Watercress R11"), "of a test authority"),
        (leaf(1, 90, self_signed=True), "signed by itself"),
    ],
)
def test_certificates_that_do_not_count(found: CertificateFacts, words: str) -> None:
    """A certificate that runs out, lives too long or is no real authority's fails."""
    with pytest.raises(AssertionError, match=words):
        judge(*both(found))


@pytest.mark.parametrize("found", [leaf(4, 6), leaf(60, 90), leaf(30, 45), leaf(100, 200)])
def test_lifetimes_of_all_kinds_pass(found: CertificateFacts) -> None:
    """Six days, 45, 90 and 200 pass by the same share of their life."""
    judge(*both(found))


def test_a_long_life_from_before_the_rule() -> None:
    """A certificate of 398 days that was issued before the rule is as good as it was."""
    judge(*both(leaf(260, 398)))


def test_an_end_within_two_days() -> None:
    """Whatever share a target file is content with, a person needs two days to act; six-day profiles excepted."""
    with pytest.raises(AssertionError, match="ends in 46 hours"):
        judge(*both(leaf(88.05, 88.05 + 46.5 / 24)), cert_stored_remaining_min=0.01)
    judge(*both(leaf(4.2, 6)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key_matches": False}, "is not the key of"),
        ({"key_mode": "644"}, "has mode 644"),
        ({"key_mode": "660"}, "has mode 660"),
        ({"authority": "https://acme-staging-v02.api.letsencrypt.org/directory"}, "of a test authority"),
    ],
)
def test_keys_and_directories(changes: dict[str, Any], words: str) -> None:
    """Another key, a key that others may read, and a staging directory fail."""
    with pytest.raises(AssertionError, match=words):
        judge(kept(**changes))


@pytest.mark.parametrize("mode", ["400", "440", "600", "640"])
def test_modes_of_keys_that_pass(mode: str) -> None:
    """A key may be readable by a group of its own, as ssl-cert is on Debian."""
    judge(kept(key_mode=mode))


def test_a_key_that_nobody_could_see() -> None:
    """Without the key's public half nothing is said about it; Traefik keeps it where it cannot be shown."""
    with pytest.raises(Unproven, match=r"shows no public key; set host.sudo"):
        judge(kept(key_matches=None))
    runs = Schedule("container", "traefik", "traefik", True, "", "", None)
    judge(replace(kept(renewer="traefik", key_matches=None, reloads="itself"), schedules=(runs,)))


def test_served_and_kept_differ() -> None:
    """A newer one on disk was not put into force; one that is kept nowhere proves nothing."""
    old = replace(TLS, served=(replace(SERVED, chain=(leaf(70, sha256="b" * 64),)),))
    with pytest.raises(AssertionError, match="the server was not reloaded"):
        judge(tls=old)
    new = replace(TLS, served=(replace(SERVED, chain=(leaf(1, sha256="b" * 64),)),))
    with pytest.raises(Unproven, match="none of the files that were read"):
        judge(tls=new)


def test_one_address_of_two_was_not_reloaded() -> None:
    """Each address of a name must serve what is kept."""
    late = replace(SERVED, address="192.0.2.2", chain=(leaf(70, sha256="b" * 64),))
    with pytest.raises(AssertionError, match=r"192\.0\.2\.2.* was not reloaded"):
        judge(tls=replace(TLS, served=(SERVED, late)))


def test_an_old_lineage_beside_is_no_matter() -> None:
    """A certificate that nobody serves any more may run out."""
    stale = replace(
        STORED, name="old", file="/etc/letsencrypt/live/old/fullchain.pem", chain=(leaf(89, sha256="c" * 64),)
    )
    judge(replace(ACME, stored=(stale, STORED)))


def test_two_keys_for_one_name() -> None:
    """An RSA certificate beside the served EC one, kept for older clients, is no matter either."""
    rsa = replace(
        STORED, name="rsa", file="/etc/letsencrypt/live/rsa/fullchain.pem", chain=(leaf(5, sha256="d" * 64),)
    )
    judge(replace(ACME, stored=(STORED, rsa)))


def test_nothing_kept_for_the_name() -> None:
    """A server with other names' certificates only has none for this one."""
    with pytest.raises(AssertionError, match="no certificate on the server covers"):
        judge(kept(chain=(leaf(names=("shop.example.com",), sha256="e" * 64),)))


def test_nothing_kept_at_all() -> None:
    """An empty server is unproven, and says where was looked, or what may not be read."""
    with pytest.raises(Unproven, match=r"there is no certificate in /etc/letsencrypt/live/\*"):
        judge(replace(ACME, stored=()))
    with pytest.raises(Unproven, match=r"/etc/letsencrypt/live cannot be read; set host.sudo"):
        judge(replace(ACME, stored=(), denied=("/etc/letsencrypt/live",)))


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        ((), "no timer, cron table or running process of certbot renews"),
        ((replace(TIMER, armed=False, why_not="it is inactive"),), "will not renew .*: it is inactive"),
        ((replace(TIMER, succeeded=False),), "the last run failed"),
        ((replace(TIMER, last_run_at=(NOW - timedelta(hours=30)).isoformat()),), "last ran 30 hours ago"),
        ((replace(TIMER, renewer="acme.sh"),), "no timer, cron table or running process of certbot"),
    ],
)
def test_schedules_that_do_not_renew(schedules: tuple[Schedule, ...], words: str) -> None:
    """No schedule, a dead one, a failing one, a late one and another renewer's fail."""
    with pytest.raises(AssertionError, match=words):
        judge(replace(ACME, schedules=schedules))


def test_one_good_schedule_of_two_is_enough() -> None:
    """Debian's timer may be off where snap's runs."""
    off = replace(TIMER, armed=False, why_not="it is disabled")
    judge(replace(ACME, schedules=(off, replace(TIMER, name="snap.certbot.renew.timer"))))


def test_runs_that_nobody_told_of() -> None:
    """A schedule whose last run is not told is unproven, except for a certificate obtained today."""
    silent = (replace(TIMER, last_run_at="", succeeded=None),)
    with pytest.raises(Unproven, match="it is not told when it last ran"):
        judge(replace(ACME, schedules=silent))
    acme, tls = both(leaf(0.5))
    judge(replace(acme, schedules=silent), tls)
    with pytest.raises(Unproven, match="it is not told whether the last run succeeded"):
        judge(replace(ACME, schedules=(replace(TIMER, succeeded=None),)))


def test_a_renewer_that_notes_when_it_is_due() -> None:
    """acme.sh notes when it means to renew: not yet is good, long ago is not."""
    cron = (Schedule("cron", "table", "acme.sh", True, "", "", None),)
    due = (NOW + timedelta(days=20)).isoformat()
    judge(replace(kept(renewer="acme.sh", renews_at=due), schedules=cron))
    late = (NOW - timedelta(days=3)).isoformat()
    with pytest.raises(AssertionError, match="it was to renew at"):
        judge(replace(kept(renewer="acme.sh", renews_at=late), schedules=cron))


def test_standalone_needs_its_port() -> None:
    """Certbot cannot listen where nginx does, unless a hook makes room."""
    taken: dict[str, tuple[str, ...]] = {"80": ("nginx",)}
    with pytest.raises(AssertionError, match="listening on port 80, where nginx listens"):
        judge(replace(kept(authenticator="standalone"), on_port=taken))
    judge(replace(kept(authenticator="standalone", makes_room=True), on_port=taken))
    judge(replace(kept(authenticator="standalone"), on_port={"80": ()}))


def test_renewals_must_be_put_into_force() -> None:
    """Without a hook, an earlier renewal that is served proves that something reloads; the first one cannot."""
    judge(kept(reloads=""))
    with pytest.raises(Unproven, match="nothing tells the server of a renewal"):
        judge(kept(reloads="", version=1))
    judge(replace(kept(reloads="", version=1), renewed_by="the edge reloads every six hours"))


def test_files_of_an_unknown_renewer() -> None:
    """A bought certificate needs a word about who renews it; a copy of certbot's has its renewer."""
    bought = replace(kept(renewer="files", version=None, reloads="", authority=""), schedules=())
    with pytest.raises(Unproven, match=r"cert\.renewed_by"):
        judge(bought)
    judge(replace(bought, renewed_by="operations, by the calendar"))
    copy = replace(STORED, renewer="files", file="/etc/haproxy/site.pem", version=None)
    judge(replace(ACME, stored=(STORED, copy)))


def test_a_providers_certificate() -> None:
    """Behind a load balancer only what is served can be judged, and who keeps it must be said."""
    managed = replace(ACME, renewer="managed", stored=(), schedules=())
    with pytest.raises(Unproven, match="who keeps the certificate"):
        judge(managed)
    said = replace(managed, renewed_by="the balancer's provider")
    judge(said)
    with pytest.raises(AssertionError, match="has 10% of its life left"):
        judge(said, replace(TLS, served=(replace(SERVED, chain=(leaf(81),)),)))
    with pytest.raises(AssertionError, match="is not trusted"):
        judge(said, replace(TLS, served=(replace(SERVED, trusted=False, trust_error="unknown authority"),)))


def test_allowed_issuers() -> None:
    """Any authority that clients trust will do, unless the target file names some."""
    judge(*both(leaf(issuer="CN=WR1,O=Google Trust Services,C=US")))
    with pytest.raises(AssertionError, match=r"cert.allowed_issuers: DigiCert"):
        judge(replace(ACME, allowed_issuers=("DigiCert",)))


def test_a_private_authority_has_no_longest_life() -> None:
    """The rules for lifetimes are those of public authorities."""
    acme, tls = both(leaf(10, 400))
    judge(acme, replace(tls, private=True))


def test_names_that_nobody_asked() -> None:
    """A name that is among no endpoint's was not seen on the wire."""
    with pytest.raises(Unproven, match=r"none of .* is among the TLS endpoints"):
        judge(
            replace(
                ACME,
                names=("api.example.com",),
                stored=(replace(STORED, chain=(leaf(names=("*.example.com",)),)),),
            )
        )
