"""Certificates on servers: real certbot and Caddy against a real ACME server, and the other renewers' files."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import acme_parse, registry
from pytest_deploycheck.probes.acme_facts import AcmeFacts, Schedule
from pytest_deploycheck.probes.acme_schedules import schedules
from pytest_deploycheck.probes.host_facts import Listener, ServerFacts, UnitState
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.rules import certificate_rules
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.transports import cert_files
from pytest_deploycheck.transports.shell import refuse_writes
from tests.probes.authority import Authority, authority, free_ports

NAME = "token.example.test"


@pytest.fixture(scope="module")
def acme_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Run an ACME server."""
    with authority(tmp_path_factory.mktemp("pebble")) as running:
        yield running


def look(here: Path, /, **cert: Any) -> AcmeFacts:
    """Look at this machine with the probe, as a server whose certificates are where `[cert]` says."""
    rows = "\n".join(f"{key} = {json.dumps(value)}" for key, value in cert.items() if key != "files")
    pairs = ", ".join(f'{{ chain = "{chain}", key = "{key}" }}' for chain, key in cert.get("files", []))
    path = here / "target.toml"
    path.write_text(
        f'[target]\nname = "t"\nenvironment = "staging"\nbase_url = "https://{NAME}"\n[host]\nuri = "local://"\n'
        f"[limits]\nhost_steal_window_s = 0.1\n[cert]\n{rows}\n" + (f"files = [{pairs}]\n" if pairs else "")
    )
    seen = Run(load(path)).gather(["acme"], registry())["acme"]
    assert seen.state == "seen", seen
    shown = json.dumps(jsonable(seen))
    assert "PRIVATE KEY" not in shown
    facts: AcmeFacts = seen.facts
    return facts


def test_certbot(acme_server: Authority, tmp_path: Path) -> None:
    """What certbot obtained, renewed and failed to renew is seen: names, key, version, hook and its last run."""
    (tmp_path / "web").mkdir()
    words = [
        "--server",
        acme_server.directory,
        "--agree-tos",
        "-m",
        "a@example.test",
        "-d",
        NAME,
        "-d",
        f"www.{NAME}",
    ]
    done = acme_server.certbot(
        tmp_path, "certonly", *words, "--webroot", "-w", str(tmp_path / "web"), "--deploy-hook", "true reload"
    )
    assert done.returncode == 0, done.stderr
    section = {"folder": str(tmp_path / "config"), "log": str(tmp_path / "logs" / "letsencrypt.log")}
    (stored,) = look(tmp_path, **section).stored
    assert (stored.renewer, stored.name, stored.version) == ("certbot", NAME, 1)
    assert set(stored.leaf.names) == {NAME, f"www.{NAME}"}
    assert (stored.key_matches, stored.key_mode) == (True, "600")
    assert (stored.authenticator, stored.reloads, stored.http_port) == ("webroot", "deploy hook", 80)
    assert stored.authority == acme_server.directory
    assert len(stored.chain) == 2
    assert certificate_rules.is_staging(stored.leaf.issuer, stored.authority)
    quiet = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "-q"]
    assert acme_server.certbot(tmp_path, *quiet).returncode == 0
    facts = look(tmp_path, **section)
    assert facts.stored[0].version == 2
    assert facts.stored[0].leaf.sha256 != stored.leaf.sha256
    assert facts.log_errors == ()
    log = (tmp_path / "logs" / "letsencrypt.log").read_text()
    assert acme_parse.last_run(f"1700000000\n{log}")[:2] == ("2023-11-14T22:13:20+00:00", True)
    acme_server.daemon.stop()
    try:
        assert acme_server.certbot(tmp_path, *quiet).returncode != 0
    finally:
        acme_server.daemon.start()
        acme_server.daemon.wait_ready()
    assert any("renew failure" in line for line in look(tmp_path, **section).log_errors)


def test_caddy(acme_server: Authority, tmp_path: Path) -> None:
    """What Caddy obtained by itself is found in its data folder, with its key and the authority's directory."""
    http, https, admin = free_ports(3)
    (tmp_path / "Caddyfile").write_text(
        f"{{\n  http_port {http}\n  https_port {https}\n  admin 127.0.0.1:{admin}\n"
        f"  acme_ca {acme_server.directory}\n  acme_ca_root {acme_server.ca}\n  email a@example.test\n}}\n"
        f'{NAME} {{\n  bind 127.0.0.1\n  respond "hello"\n}}\n'
    )
    caddy = Daemon(
        "caddy",
        ["caddy", "run", "--config", tmp_path / "Caddyfile"],
        home=tmp_path,
        ready=lambda: any((tmp_path / "data" / "caddy" / "certificates").glob("*/*/*.crt")),
        env={"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        start_timeout=40,
    )
    caddy.start()
    try:
        caddy.wait_ready()
        time.sleep(0.2)
        facts = look(tmp_path, renewer="caddy", folder=str(tmp_path / "data" / "caddy"))
    finally:
        caddy.stop()
    (stored,) = facts.stored
    assert (stored.renewer, stored.name, stored.reloads) == ("caddy", NAME, "itself")
    assert stored.leaf.names == (NAME,)
    assert (stored.key_matches, stored.key_mode) == (True, "600")
    assert "localhost" in stored.authority


def printed(command: str) -> str:
    """Return what a command prints here."""
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout


def issued(**options: Any) -> tuple[bytes, bytes]:
    """Return a chain and its key, both PEM."""
    issuer = certs.authority("Some CA")
    chain, key = certs.leaf(issuer, names=(NAME,), **options)
    return chain + issuer.pem(), key


def test_traefik(tmp_path: Path) -> None:
    """Traefik's acme.json holds keys beside certificates: certificates, mode and directory are seen, no key."""
    chain, key = issued()
    hidden = base64.b64encode(key).decode()
    store = tmp_path / "acme.json"
    entry = {
        "domain": {"main": NAME},
        "certificate": base64.b64encode(chain).decode(),
        "key": hidden,
        "Store": "default",
    }
    account = {
        "Email": "a@example.test",
        "Registration": {"uri": "https://acme-v02.api.letsencrypt.org/acme/acct/1"},
        "PrivateKey": "c2VjcmV0LW9mLXRoZS1hY2NvdW50",
        "KeyType": "4096",
    }
    store.write_text(json.dumps({"letsencrypt": {"Account": account, "Certificates": [entry]}}, indent=2))
    store.chmod(0o600)
    facts = look(tmp_path, renewer="traefik", folder=str(store))
    (stored,) = facts.stored
    assert (stored.renewer, stored.name, stored.key_matches, stored.key_mode) == (
        "traefik",
        NAME,
        None,
        "600",
    )
    assert stored.authority == "https://acme-v02.api.letsencrypt.org/acme/acct/1"
    shown = printed(cert_files.question("traefik", [str(store)]))
    assert "c2VjcmV0" not in shown
    assert hidden not in shown


def test_acme_sh(tmp_path: Path) -> None:
    """acme.sh's folders are read with the settings beside them, and with when it means to renew."""
    chain, key = issued()
    home = tmp_path / ".acme.sh" / f"{NAME}_ecc"
    home.mkdir(parents=True)
    (home / "fullchain.cer").write_bytes(chain)
    (home / f"{NAME}.key").write_bytes(key)
    (home / f"{NAME}.key").chmod(0o600)
    (home / f"{NAME}.conf").write_text(
        f"Le_Domain='{NAME}'\nLe_API='https://acme-v02.api.letsencrypt.org/directory'\n"
        "Le_ReloadCmd='__ACME_BASE64__START_c3lzdGVtY3Rs__ACME_BASE64__END_'\nLe_NextRenewTime='1900000000'\n"
        "SAVED_CF_Token='do-not-show'\n"
    )
    question = cert_files.question("acme.sh", [f"{home}/*.conf"])
    assert "do-not-show" not in printed(question)
    (stored,) = look(tmp_path, renewer="acme.sh", folder=str(tmp_path / ".acme.sh")).stored
    assert (stored.name, stored.key_matches, stored.reloads) == (NAME, True, "reload command")
    assert stored.renews_at == "2030-03-17T17:46:40+00:00"


def test_declared_files(tmp_path: Path) -> None:
    """Files that the target file names are read too; a chain with its key in one file shows the chain alone."""
    chain, key = issued()
    both = tmp_path / "site.pem"
    both.write_bytes(chain + key)
    both.chmod(0o640)
    facts = look(tmp_path, renewer="files", files=[(both, both)])
    (stored,) = facts.stored
    assert (stored.renewer, stored.key_matches, stored.key_mode) == ("files", True, "640")
    assert "PRIVATE" not in printed(cert_files.question("chains", [str(both)]))
    assert "PRIVATE" not in printed(cert_files.question("keys", [str(both)]))


def test_another_key(tmp_path: Path) -> None:
    """A key that is another certificate's does not match, and one that is no key is not told."""
    chain, _ = issued()
    _, other = issued()
    for name, content in (("c.pem", chain), ("other.key", other), ("none.key", b"nothing")):
        (tmp_path / name).write_bytes(content)
    pairs = [(tmp_path / "c.pem", tmp_path / "other.key")]
    assert look(tmp_path, renewer="files", files=pairs).stored[0].key_matches is False
    pairs = [(tmp_path / "c.pem", tmp_path / "none.key")]
    assert look(tmp_path, renewer="files", files=pairs).stored[0].key_matches is None


def test_nothing_is_there(tmp_path: Path) -> None:
    """A folder without certificates gives none, and a file that is no certificate is none."""
    assert look(tmp_path, folder=str(tmp_path / "none")).stored == ()
    (tmp_path / "c.pem").write_text("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
    assert look(tmp_path, renewer="files", files=[(tmp_path / "c.pem", "")]).stored == ()


@pytest.mark.parametrize("kind", ["chains", "keys", "certbot", "versions", "acme.sh", "traefik", "log"])
def test_questions_are_reads(kind: str) -> None:
    """Each command passes the list of reads as it is made, and not with anything else in the place of a file."""
    refuse_writes(cert_files.question(kind, ["/etc/letsencrypt/live/*/fullchain.pem", "/srv/a-b/c@d+e.pem"]))
    for file in ("/a; reboot", "/a$(reboot)", "/a`reboot`", "/a\nreboot", "/a > /b", "a", '/a"; reboot; "'):
        with pytest.raises(CannotLook, match="not on the list of reads"):
            refuse_writes(cert_files.question(kind, [file]))
    with pytest.raises(CannotLook, match="not on the list of reads"):
        refuse_writes(cert_files.question(kind, ["/a"]) + "; reboot")


EMPTY = ServerFacts(
    uri="local://", user="root", hostname="a", mem_total_bytes=None, mem_available_bytes=None,
    swap_total_bytes=None, cpus=None, load5=None, steal=None, steal_window_s=0, steal_since_boot=None, boot_at="",
    filesystems=(), unread_paths=(), docker_root="", engine_denied=False, containers_mem_limit_bytes=None, containers_without_mem_limit=None, os=None,
    clock_skew_s=None, clock_skew_within_s=0, ntp_synchronized=None, listeners=None, units=None, sshd=None,
    reboot_required_since=None,
)  # fmt: skip
DEBIAN_CRON = (
    "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && "
    "perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew\n"
)


def test_debians_cron_line_does_nothing_under_systemd() -> None:
    """Debian's line of cron tests for systemd: it counts where systemd does not run, and only there."""
    log = ("2026-01-01T00:00:00+00:00", True)
    assert schedules(replace(EMPTY, units=()), DEBIAN_CRON, None, log) == ()
    assert schedules(EMPTY, DEBIAN_CRON, None, log) == (
        Schedule("cron", "table", "certbot", True, "", log[0], True),
    )
    assert schedules(EMPTY, "# certbot renew\n30 3 * * * root /opt/acme-corp/report\n", None, log) == ()


def test_timers_by_their_names() -> None:
    """The renewers' timers count, whatever distribution named them; a company called Acme has none of these."""

    def timer(name: str) -> UnitState:
        return UnitState(name, "loaded", "active", "waiting", "enabled", "success", triggers="x.service")

    names = {
        "certbot.timer": "certbot", "snap.certbot.renew.timer": "certbot", "certbot-renew.timer": "certbot",
        "acme.timer": "acme.sh", "acme_letsencrypt.timer": "acme.sh", "acme-shop.example.com.timer": "acme.sh",
        "lego.timer": "files", "acme-backup.timer": "", "logrotate.timer": "",
    }  # fmt: skip
    for name, renewer in names.items():
        found = schedules(replace(EMPTY, units=(timer(name),)), "", None, ("", None))
        assert [one.renewer for one in found] == ([renewer] if renewer else []), name


@pytest.mark.parametrize(
    ("image", "command", "renewer"),
    [
        ("certbot/certbot:v2", ["renew"], "certbot"),
        ("caddy:2", [], "caddy"),
        ("registry.example/tools/traefik:v3", [], "traefik"),
        ("nginxproxy/acme-companion", [], "acme.sh"),
        ("alpine", ["sh", "-c", "while :; do certbot renew; sleep 12h; done"], "certbot"),
        ("acme-corp/api:1", [], ""),
        ("postgres:17", [], ""),
    ],
)
def test_containers_that_renew(image: str, command: list[str], renewer: str) -> None:
    """A running container of a renewer counts; one that ended, or of another program, does not."""
    entry = {"Name": "/one", "State": {"Running": True}, "Config": {"Image": image, "Cmd": command}}
    found = schedules(EMPTY, "", [entry], ("", None))
    assert [one.renewer for one in found] == ([renewer] if renewer else [])
    assert schedules(EMPTY, "", [{**entry, "State": {"Running": False}}], ("", None)) == ()


def test_servers_that_renew_themselves() -> None:
    """Caddy as a listener or as a service counts; a service that does not come back after a restart says why."""
    listening = replace(EMPTY, listeners=(Listener("tcp", "*", 443, "caddy"),))
    assert schedules(listening, "", None, ("", None)) == (
        Schedule("process", "caddy", "caddy", True, "", "", None),
    )
    stopped = UnitState("caddy.service", "loaded", "active", "running", "disabled", "success")
    (found,) = schedules(replace(EMPTY, units=(stopped,)), "", None, ("", None))
    assert not found.armed
    assert "ends with the next restart" in found.why_not


def test_lifetimes_by_their_date() -> None:
    """The longest life of a certificate shrinks by the day on which it was issued."""
    rows = {"2026-03-14": 398, "2026-03-15": 200, "2027-03-14": 200, "2027-03-15": 100, "2029-03-15": 47}
    for day, days in rows.items():
        assert certificate_rules.lifetime_max_d(datetime.fromisoformat(day).replace(tzinfo=UTC)) == days


@pytest.mark.parametrize(
    ("issuer", "directory", "staging"),
    [
        ("CN=R11,O=Let's Encrypt,C=US", "https://acme-v02.api.letsencrypt.org/directory", False),
        ("CN=(STAGING) Tenuous Tomato R13,O=(STAGING) Let's Encrypt", "", True),
        ("CN=Fake LE Intermediate X1", "", True),
        ("CN=R11,O=Let's Encrypt,C=US", "https://acme-staging-v02.api.letsencrypt.org/directory", True),
        ("CN=R11,O=Let's Encrypt,C=US", "acme-staging-v02.api.letsencrypt.org-directory", True),
        ("CN=WR1,O=Google Trust Services", "https://dv.acme-v02.test-api.pki.goog/directory", True),
        ("CN=Caddy Local Authority - ECC Intermediate", "local", True),
        ("CN=TRAEFIK DEFAULT CERT", "", True),
        ("CN=ZeroSSL ECC Domain Secure Site CA,O=ZeroSSL", "https://acme.zerossl.com/v2/DV90", False),
    ],
)
def test_rehearsals(issuer: str, directory: str, staging: bool) -> None:
    """Test authorities are known by their names or by their directories' addresses."""
    assert certificate_rules.is_staging(issuer, directory) is staging
