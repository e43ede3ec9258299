"""Pre-Deployment Checklist, Infrastructure Setup: the certificate and its renewal, item 5 of the default checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.certificates import CertificateFacts, covers
from pytest_deploycheck.rules import certificate_rules
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.acme_facts import AcmeFacts, Schedule, Stored
    from pytest_deploycheck.probes.tls import TlsFacts

CERT = ("pre_deploy.infrastructure.cert", "SSL certificate obtained (Let's Encrypt recommended)")
SHORT_LIVED_D = 10
"""Days: a certificate of so short a life is never 48 hours from its end for long (Let's Encrypt's six-day profile)."""


@pytest.mark.checklist(CERT[0], text=CERT[1])
def test_cert_obtained(acme_facts: AcmeFacts, tls_facts: TlsFacts, limits: Limits, now: datetime) -> None:
    """Each name has a certificate of a real authority, as long-lived as the rules allow, that is not running out.

    How much must be left is a share of its life: ACME clients renew at a third, whether it lives 90 days or 6.
    """
    for name, leaf, where, authority in _certificates(acme_facts, tls_facts):
        assert covers(leaf.names, name), (
            f"{where} is for {', '.join(leaf.names) or 'no name'}, not for {name}"
        )
        assert not certificate_rules.is_staging(leaf.issuer, authority), (
            f"{where} is of a test authority: {leaf.issuer}{f', from {authority}' if authority else ''}"
        )
        assert not leaf.self_signed, f"{where} is signed by itself: no authority issued it"
        if acme_facts.allowed_issuers:
            assert any(part.lower() in leaf.issuer.lower() for part in acme_facts.allowed_issuers), (
                f"{where} is issued by {leaf.issuer}; cert.allowed_issuers: {', '.join(acme_facts.allowed_issuers)}"
            )
        start, end = datetime.fromisoformat(leaf.not_before), datetime.fromisoformat(leaf.not_after)
        assert start <= now < end, f"{where} is valid from {leaf.not_before} to {leaf.not_after}"
        lifetime = end - start
        if not tls_facts.private:
            longest = certificate_rules.lifetime_max_d(start)
            assert lifetime <= timedelta(days=longest, minutes=1), (
                f"{where} lives {lifetime / timedelta(days=1):.0f} days; the rules allow {longest}"
            )
        remaining = (end - now) / lifetime
        assert remaining >= limits.cert_stored_remaining_min, (
            f"{where} has {remaining:.0%} of its life left, until {leaf.not_after}: it should have been renewed"
        )
        if lifetime > timedelta(days=SHORT_LIVED_D):
            left_s = (end - now).total_seconds()
            assert left_s >= limits.cert_stored_left_min_s, f"{where} ends in {left_s / 3600:.0f} hours"


@pytest.mark.checklist(CERT[0], text=CERT[1])
def test_cert_served(acme_facts: AcmeFacts, tls_facts: TlsFacts) -> None:
    """What clients are shown is what is kept on the server, trusted; nothing newer waits there for a reload."""
    served = _served(acme_facts, tls_facts)
    if acme_facts.renewer != "managed":
        _stored(acme_facts)
    kept = {one.leaf.sha256 for one in acme_facts.stored}
    for name, where, leaf, trusted, why in served:
        assert trusted, f"{where} is not trusted by {tls_facts.store}: {why}"
        if leaf.sha256 in kept or acme_facts.renewer == "managed":
            continue
        newer = [
            one
            for one in acme_facts.stored
            if covers(one.leaf.names, name) and one.leaf.not_before > leaf.not_before
        ]
        assert not newer, (
            f"{where} still serves the certificate of {leaf.not_before}; {newer[0].file} holds the one of "
            f"{newer[0].leaf.not_before}: the server was not reloaded"
        )
        unproven(
            Reason.NO_EVIDENCE,
            f"{where} serves a certificate that is in none of the files that were read "
            f"({', '.join(one.file for one in acme_facts.stored)}); name its file in cert.files",
        )


@pytest.mark.checklist(CERT[0], text=CERT[1])
def test_cert_key(acme_facts: AcmeFacts, tls_facts: TlsFacts, limits: Limits) -> None:
    """The key beside each certificate is the certificate's own, and nobody but its owner and group may read it."""
    for one in _in_use(acme_facts, tls_facts):
        if one.key_matches is None and not (one.renewer == "traefik" and one.key_mode):
            unproven(
                Reason.NO_ACCESS,
                f"{one.key_file or 'no key file'} of {one.file} shows no public key; set host.sudo, or key in cert.files",
            )
        assert one.key_matches is not False, (
            f"{one.key_file} is not the key of {one.file}: the next restart fails"
        )
        assert one.key_mode, f"{one.key_file}: no mode"
        mode = int(one.key_mode, 8)
        assert mode & ~0o640 == 0, (
            f"{one.key_file} has mode {one.key_mode} ({one.key_owner}): others may read it"
        )


@pytest.mark.checklist(CERT[0], text=CERT[1])
def test_cert_renewal(acme_facts: AcmeFacts, tls_facts: TlsFacts, limits: Limits, now: datetime) -> None:
    """Something renews it: armed to run, also after a restart, lately run with success, and able to."""
    if acme_facts.renewer == "managed" and not acme_facts.renewed_by:
        unproven(Reason.NO_CONFIG, "who keeps the certificate? say it in cert.renewed_by")
    for one in _in_use(acme_facts, tls_facts):
        renewers = {twin.renewer for twin in acme_facts.stored if twin.leaf.sha256 == one.leaf.sha256}
        found = [schedule for schedule in acme_facts.schedules if schedule.renewer in renewers]
        armed = [schedule for schedule in found if schedule.armed]
        if not found and acme_facts.renewed_by:
            continue  # the target file's own words, which the record shows
        if not found and renewers == {"files"}:
            unproven(Reason.NO_CONFIG, f"what renews {one.file}? say it in cert.renewed_by")
        assert armed, _unarmed(one, found)
        if one.authenticator == "standalone" and not one.makes_room:
            others = [p for p in acme_facts.on_port.get(str(one.http_port), ()) if p != "certbot"]
            assert not others, (
                f"{one.name} is renewed by certbot itself listening on port {one.http_port}, where "
                f"{', '.join(others)} listens; use webroot, or hooks that make room"
            )
        runs = [_run(schedule, one, limits, now) for schedule in armed]
        if not any(good for good, _ in runs):
            failed = [why for good, why in runs if good is False]
            last = f" ({acme_facts.log_errors[-1]})" if acme_facts.log_errors else ""
            assert not failed, f"{one.name}: {'; '.join(failed)}{last}"
            unproven(Reason.NO_EVIDENCE, f"{one.name}: {'; '.join(why for _, why in runs)}")


@pytest.mark.checklist(CERT[0], text=CERT[1])
def test_cert_reload(acme_facts: AcmeFacts, tls_facts: TlsFacts) -> None:
    """A renewed certificate will be put into force: by a hook, or as it was after an earlier renewal."""
    if acme_facts.renewer == "managed":
        return
    shown = {leaf.sha256 for _, _, leaf, _, _ in _served(acme_facts, tls_facts)}
    for one in _in_use(acme_facts, tls_facts):
        renewed_before = one.leaf.sha256 in shown and (one.version or 1) > 1
        if not (one.reloads or acme_facts.renewed_by or renewed_before):
            unproven(
                Reason.NO_EVIDENCE,
                f"nothing tells the server of a renewal of {one.file}: add a deploy hook that reloads it, "
                "or say in cert.renewed_by what does",
            )


def _served(acme: AcmeFacts, tls: TlsFacts) -> list[tuple[str, str, CertificateFacts, bool, str]]:
    """Return name, place, leaf, whether it is trusted and why not, of every address that serves a needed name."""
    assert acme.names, "no name to look for: target.domains, cert.names"
    hosts = {name.lower() for name in acme.names}
    found = [
        (
            one.endpoint.rpartition(":")[0].strip("[]"),
            f"{one.endpoint} ({one.address})",
            one.chain[0],
            one.trusted,
            one.trust_error,
        )
        for one in tls.served
        if one.chain
    ]
    named = [row for row in found if row[0].lower() in hosts]
    if not named:
        unproven(
            Reason.NO_EVIDENCE, f"none of {', '.join(acme.names)} is among the TLS endpoints that were asked"
        )
    return named


def _stored(acme: AcmeFacts) -> tuple[Stored, ...]:
    if not acme.stored and acme.denied:
        unproven(Reason.NO_ACCESS, f"{', '.join(acme.denied)} cannot be read; set host.sudo")
    if not acme.stored:
        unproven(
            Reason.NO_EVIDENCE,
            f"there is no certificate in {', '.join(acme.looked_in)}; name it in cert.files, or say "
            'cert.renewer = "managed" where a provider keeps it',
        )
    return acme.stored


def _in_use(acme: AcmeFacts, tls: TlsFacts) -> list[Stored]:
    """Return the stored certificates that are served; of a name of which none is, the newest that covers it."""
    if acme.renewer == "managed":
        return []
    found: list[Stored] = []
    for name in acme.names:
        fitting = [one for one in _stored(acme) if covers(one.leaf.names, name)]
        assert fitting, f"no certificate on the server covers {name}"
        shown = {leaf.sha256 for host, _, leaf, _, _ in _served(acme, tls) if host.lower() == name.lower()}
        served = [one for one in fitting if one.leaf.sha256 in shown]
        found += served or [max(fitting, key=lambda one: one.leaf.not_before)]
    return list(dict.fromkeys(found))


def _certificates(acme: AcmeFacts, tls: TlsFacts) -> Iterator[tuple[str, CertificateFacts, str, str]]:
    """Yield each needed name with the certificates that count for it, where they are and their directory."""
    if acme.renewer == "managed":
        for name, where, leaf, _, _ in _served(acme, tls):
            yield name, leaf, where, ""
        return
    for name in acme.names:
        for one in _in_use(acme, tls):
            if covers(one.leaf.names, name):
                yield name, one.leaf, one.file, one.authority


def _unarmed(one: Stored, found: list[Schedule]) -> str:
    if found:
        return "; ".join(
            f"{each.kind} {each.name} will not renew {one.name}: {each.why_not}" for each in found
        )
    return f"no timer, cron table or running process of {one.renewer} renews {one.file}"


def _run(schedule: Schedule, one: Stored, limits: Limits, now: datetime) -> tuple[bool | None, str]:
    """Return whether a schedule's last run was lately and good, None where that is not told, and the words.

    A process that stays needs no runs; a renewer that notes when it means to renew is late or it is not.
    """
    what = f"{schedule.kind} {schedule.name}"
    if schedule.kind in ("process", "container"):
        return True, f"{what} runs"
    if schedule.succeeded is False:
        return False, f"{what}: the last run failed"
    if one.renews_at:
        late_s = _age_s(one.renews_at, now)
        return late_s <= limits.cert_renewer_max_age_s, f"{what}: it was to renew at {one.renews_at}"
    if not schedule.last_run_at:
        young = _age_s(one.leaf.not_before, now) <= limits.cert_renewer_max_age_s
        return (True if young else None), f"{what}: it is not told when it last ran"
    age_s = _age_s(schedule.last_run_at, now)
    if age_s > limits.cert_renewer_max_age_s:
        return False, f"{what} last ran {age_s / 3600:.0f} hours ago"
    return (True if schedule.succeeded else None), f"{what}: it is not told whether the last run succeeded"


def _age_s(moment: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()
