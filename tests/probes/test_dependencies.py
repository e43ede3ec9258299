"""Audits as tools print them, lock files of many kinds, runtimes, and lists of parts; then all of it at a real tree."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import envelope
from pytest_deploycheck.probes import audits, lock_files, outdated, sboms
from pytest_deploycheck.probes.audits import AuditError, Vulnerable, npm_audit, osv, pip_audit, yarn_audit
from pytest_deploycheck.probes.dependencies import DependenciesFacts
from pytest_deploycheck.rules import runtimes
from tests.probes.repositories import repository
from tests.probes.service import look

SAMPLES = Path(__file__).parent / "samples"
DIGEST = "sha256:" + "ab" * 32

PIP = {
    "dependencies": [
        {"name": "Flask_X", "version": "1.0", "vulns": []},
        {
            "name": "jinja2",
            "version": "3.1.0",
            "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": ["CVE-1"], "description": "d"}],
        },
    ],
    "fixes": [],
}
# pip-audit 2.10.1 where it could not reach its service: it ends with 0 and "No known vulnerabilities found".
PIP_BLIND = {
    "dependencies": [
        {"name": "idna", "skip_reason": "Dependency not found on PyPI and could not be audited: idna (3.20)"}
    ],
    "fixes": [],
}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "braces": {
            "name": "braces",
            "severity": "high",
            "isDirect": False,
            "via": [
                {"source": 1, "url": "https://github.com/advisories/GHSA-grv7-fg5c-xmjg", "severity": "high"}
            ],
            "fixAvailable": {"name": "micromatch", "version": "4.0.8", "isSemVerMajor": True},
        },
        "micromatch": {"name": "micromatch", "severity": "moderate", "via": ["braces"], "fixAvailable": True},
    },
    "metadata": {
        "vulnerabilities": {"info": 0, "low": 0, "moderate": 1, "high": 1, "critical": 0, "total": 2},
        "dependencies": {"prod": 7, "dev": 2, "optional": 0, "peer": 0, "peerOptional": 0, "total": 8},
    },
}
PNPM = {
    "actions": [],
    "advisories": {
        "1": {
            "module_name": "braces",
            "severity": "high",
            "github_advisory_id": "GHSA-grv7",
            "patched_versions": ">=3.0.3",
        }
    },
    "muted": [],
    "metadata": {
        "vulnerabilities": {"info": 0, "low": 0, "moderate": 0, "high": 1, "critical": 0},
        "dependencies": 20,
        "devDependencies": 0,
        "optionalDependencies": 0,
        "totalDependencies": 20,
    },
}
YARN = "\n".join(
    (
        '{"type":"auditAdvisory","data":{"advisory":{"module_name":"braces","severity":"high","id":9}}}',
        '{"type":"auditSummary","data":{"vulnerabilities":{"info":0,"low":0,"moderate":0,"high":1,"critical":0},'
        '"dependencies":20,"devDependencies":0,"optionalDependencies":0,"totalDependencies":20}}',
    )
)
OSV = {
    "results": [
        {
            "source": {"path": "/src/go.sum", "type": "lockfile"},
            "packages": [
                {
                    "package": {"name": "stdlib", "version": "1.20", "ecosystem": "Go"},
                    "vulnerabilities": [{"id": "GO-1"}],
                    "groups": [
                        {"ids": ["GO-1"], "max_severity": "7.5"},
                        {"ids": ["GO-2"], "max_severity": ""},
                    ],
                }
            ],
        }
    ]
}


def test_pip_audit_is_read() -> None:
    """Names as PyPI compares them, vulnerabilities with what mends them; pip-audit rates none."""
    found = pip_audit(PIP)
    assert found.packages == 2 and found.names == (("flask-x", "1.0"), ("jinja2", "3.1.0"))
    assert found.found == (Vulnerable("PYSEC-1", "jinja2 3.1.0", "unrated", "3.1.6"),)
    assert pip_audit(PIP["dependencies"]).packages == 2


def test_pip_audit_that_saw_nothing_has_looked_at_nothing() -> None:
    """What it prints where its service is out of reach: everything skipped, nothing vulnerable."""
    found = pip_audit(PIP_BLIND)
    assert (found.packages, found.skipped, found.found) == (0, ("idna",), ())


def test_npm_audit_is_read() -> None:
    """Version 2: each package with its level, and the counts."""
    found = npm_audit(NPM)
    assert found.packages == 8 and dict(found.counted)["high"] == 1
    assert found.found[0] == Vulnerable("GHSA-grv7-fg5c-xmjg", "braces", "high", "micromatch 4.0.8")
    assert found.found[1].level == "moderate"


@pytest.mark.parametrize(("read", "document"), [(npm_audit, PNPM), (yarn_audit, YARN)], ids=["pnpm", "yarn"])
def test_older_shapes_are_read(read: Any, document: Any) -> None:
    """What pnpm and Yarn 1 print."""
    found = read(document)
    assert found.packages == 20 and dict(found.counted)["high"] == 1
    assert (found.found[0].package, found.found[0].level) == ("braces", "high")


def test_osv_scanner_is_read() -> None:
    """Each group of one vulnerability counts once, by its CVSS; without one it is unrated."""
    assert [(one.id, one.level) for one in osv(OSV).found] == [("GO-1", "high"), ("GO-2", "unrated")]
    assert osv({"results": []}).found == ()


def test_a_refused_audit_is_none() -> None:
    """The very object that npm printed when its registry answered 405."""
    with pytest.raises(AuditError, match="405 Method Not Allowed"):
        npm_audit(json.loads((SAMPLES / "npm-audit-registry-error.json").read_text()))


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (pip_audit, {}),
        (pip_audit, {"error": "x"}),
        (pip_audit, "x"),
        (pip_audit, {"dependencies": {}}),
        (npm_audit, {}),
        (npm_audit, {"error": {"code": "ENOLOCK", "summary": "This command requires an existing lockfile."}}),
        (npm_audit, {"auditReportVersion": 2, "vulnerabilities": {}}),
        (npm_audit, {**NPM, "metadata": {**NPM["metadata"], "vulnerabilities": {"high": 0}}}),  # type: ignore[dict-item]
        (npm_audit, {**NPM, "metadata": {**NPM["metadata"], "dependencies": {}}}),  # type: ignore[dict-item]
        (npm_audit, {**NPM, "auditReportVersion": 3}),
        (yarn_audit, ""),
        (yarn_audit, '{"type":"error","data":"offline"}'),
        (osv, {}),
        (osv, []),
    ],
)
def test_unfinished_audits_are_none(read: Any, document: Any) -> None:
    """What does not say what it looked at has found nothing out."""
    with pytest.raises(AuditError):
        read(document)


@pytest.mark.parametrize(
    ("level", "least", "stops"),
    [
        ("high", "high", True),
        ("moderate", "high", False),
        ("unrated", "critical", True),
        ("info", "low", False),
        ("critical", "low", True),
    ],
)
def test_what_stops_a_release(level: str, least: str, stops: bool) -> None:
    """From the level on that the target file names; what nobody rated always does."""
    assert audits.blocks(level, least) is stops


@pytest.mark.parametrize(
    ("word", "level"), [("Medium", "moderate"), ("HIGH", "high"), ("grave", "unrated"), (None, "unrated")]
)
def test_words_for_levels(word: Any, level: str) -> None:
    """Other tools' words; an unknown one is not harmless."""
    assert audits.level_of(word) == level


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        (
            "a==1\nB_b[x]==2.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n",
            (("a", "1"), ("b-b", "2.0")),
        ),
        ("# by pip-compile\n-i https://x\na==1  # via b\n", (("a", "1"),)),
        ('a==1\nb==2 ; sys_platform == "win32"\n', (("a", "1"),)),
        ("a>=1\n", None),
        ("a==1\nb\n", None),
        ("git+https://x/y\n", None),
        ("", None),
    ],
)
def test_requirements_are_a_lock_when_all_are_pinned(text: str, pins: Any) -> None:
    """Hashes, comments and options aside; what is for some platforms only need not be in an audit of another."""
    assert lock_files.requirements(text.encode()) == pins


def locked(path: str, **files: str) -> lock_files.Locked | None:
    """Return a lock file's facts in a tree of files; an underscore in a keyword stands for a dot."""
    tree = {name.replace("__", "-").replace("_", "."): text.encode() for name, text in files.items()}
    kind = lock_files.find(tree)[path]
    return lock_files.locked(path, kind, lambda name: tree.get(name, b""), frozenset(tree))


def test_locks_out_of_step_are_seen() -> None:
    """What a manifest asks for and its lock does not hold, for pip-tools, npm, uv and Poetry."""
    found = locked("requirements.txt", requirements_txt="a==1\n", requirements_in="a\nb>2\n")
    assert found and found.out_of_step == ("b",)
    lock = json.dumps({"packages": {"": {"dependencies": {"x": "^1"}}, "node_modules/x": {}}})
    found = locked(
        "package-lock.json", package__lock_json=lock, package_json='{"dependencies": {"x": "^2", "y": "1"}}'
    )
    assert found and found.out_of_step == ("x", "y") and found.packages == 1
    project = '[project]\nname = "p"\ndependencies = ["a>1", "Z.z"]\n'
    found = locked("uv.lock", uv_lock='[[package]]\nname = "a"\nversion = "1"\n', pyproject_toml=project)
    assert found and found.out_of_step == ("z-z",)
    poetry = '[tool.poetry.dependencies]\npython = "^3.12"\na = "^1"\n'
    found = locked(
        "poetry.lock", poetry_lock='[[package]]\nname = "A"\nversion = "1"\n', pyproject_toml=poetry
    )
    assert found and found.out_of_step == ()


def test_packages_that_do_not_ship_need_not_be_audited() -> None:
    """Of npm's lock those count that are neither for development nor optional, nor the workspace's own."""
    packages = {
        "": {},
        "packages/web": {"name": "web"},
        "node_modules/web": {"link": True},
        "node_modules/a": {},
        "node_modules/b": {"dev": True},
        "node_modules/c": {"optional": True},
        "node_modules/a/node_modules/d": {},
    }
    found = locked("package-lock.json", package__lock_json=json.dumps({"packages": packages}))
    assert found and found.packages == 2


def test_lock_files_by_name() -> None:
    """Of many ecosystems, wherever they lie."""
    names = [
        "a/go.sum",
        "Cargo.lock",
        "web/pnpm-lock.yaml",
        "requirements-prod.txt",
        "pylock.toml",
        "requirements.in",
        "x.txt",
    ]
    assert lock_files.find(names) == {
        "a/go.sum": "go",
        "Cargo.lock": "rust",
        "web/pnpm-lock.yaml": "node",
        "requirements-prod.txt": "python",
        "pylock.toml": "python",
    }


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        (
            "Dockerfile",
            "FROM python:3.12-slim AS x\nFROM nginx:1.29\nFROM node:24\n",
            [("python", "3.12"), ("node", "24")],
        ),
        (
            "api/Dockerfile.prod",
            "ARG V=3.13\nFROM --platform=linux/amd64 docker.io/library/python:${V}-slim@sha256:aa\n",
            [("python", "3.13")],
        ),
        ("Dockerfile", "FROM python:slim\nFROM python:$V\nFROM acme/python-tools:3\n", []),
        (".python-version", "3.11.4\n", [("python", "3.11")]),
        (".nvmrc", "v22.3.0\n", [("node", "22.3")]),
        (".nvmrc", "lts/*\n", []),
        ("runtime.txt", "python-3.11.9\n", [("python", "3.11.9")]),
        ("package.json", '{"engines": {"node": ">=20"}}', []),
        ("package.json", '{"volta": {"node": "22.1.0"}, "engines": {"node": "20"}}', [("node", "22.1.0")]),
        ("package.json", "[]", []),
        ("README.md", "FROM python:2.7\n", []),
    ],
)
def test_runtimes_are_named_in_many_files(path: str, text: str, named: list[tuple[str, str]]) -> None:
    """By base images, by version files, by exact engines; ranges and floating tags name none."""
    assert list(runtimes.named(path, text.encode())) == named


@pytest.mark.parametrize(
    ("name", "version", "ends"),
    [
        ("python", "3.9.21", date(2025, 10, 31)),
        ("python", "3.12", date(2028, 10, 31)),
        ("node", "18.19.1", date(2025, 4, 30)),
        ("node", "v20", date(2026, 4, 30)),
        ("python", "3.3", date(2021, 12, 23)),
        ("python", "2.4", date(2020, 1, 1)),
        ("python", "3.99", runtimes.READ_ON + runtimes.KNOWN_FOR),
        ("python", "3", None),
        ("erlang", "26", None),
        ("python", "latest", None),
    ],
)
def test_until_when_a_runtime_is_supported(name: str, version: str, ends: date | None) -> None:
    """By its cycle; an unlisted one ended with the next at the latest, a newer one has some time, an unclear one is unknown."""
    assert runtimes.ends_on(name, version) == ends


def test_lists_of_outdated_packages() -> None:
    """Majors are counted for direct packages; years are no majors; npm's wanted version stands for a missing one."""
    listed = [
        {"name": "Redis", "version": "5.0.1", "latest_version": "8.1.0", "latest_filetype": "wheel"},
        {"name": "certifi", "version": "2022.1", "latest_version": "2026.9", "latest_filetype": "wheel"},
        {"name": "setuptools", "version": "65.5.0", "latest_version": "84.2.1", "latest_filetype": "wheel"},
    ]
    found = outdated.pip(listed, frozenset({"redis", "certifi"}))
    assert [(one.name, one.majors) for one in found] == [("Redis", 3), ("certifi", 0)]
    npm = {
        "qrcode": {"wanted": "1.5.4", "latest": "3.0.0", "dependent": "shop"},
        "a": [{"current": "2.0.0", "latest": "2.9.9"}],
    }
    assert [(one.name, one.majors) for one in outdated.npm(npm)] == [("qrcode", 2), ("a", 0)]
    assert outdated.npm({}) == () and outdated.pip([], frozenset()) == ()


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (outdated.npm, {"error": {"code": "E405"}}),
        (outdated.npm, json.loads((SAMPLES / "npm-audit-registry-error.json").read_text())),
        (outdated.npm, []),
        (lambda body: outdated.pip(body, frozenset()), {}),
        (lambda body: outdated.pip(body, frozenset()), [{"name": "x"}]),
    ],
)
def test_refused_lists_of_outdated_packages_are_none(read: Any, document: Any) -> None:
    """An error is not an empty list."""
    with pytest.raises(AuditError):
        read(document)


CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {
        "timestamp": "2026-11-24T08:00:00Z",
        "component": {"type": "container", "name": "api", "version": DIGEST},
    },
    "components": [
        {"name": "x", "purl": "pkg:pypi/x@1"},
        {"name": "node", "purl": "pkg:generic/node@22.1.0"},
    ],
}
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "creationInfo": {"created": "2026-11-24T08:00:00Z"},
    "packages": [
        {
            "SPDXID": "SPDXRef-image",
            "name": "api",
            "primaryPackagePurpose": "CONTAINER",
            "externalRefs": [
                {
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:oci/api@{DIGEST.replace(':', '%3A')}?arch=amd64",
                }
            ],
        },
        {"SPDXID": "SPDXRef-x", "name": "x", "versionInfo": DIGEST.replace("ab", "cd")},
    ],
    "relationships": [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": "SPDXRef-image",
        }
    ],
}


@pytest.mark.parametrize(
    ("document", "parts", "named"), [(CYCLONEDX, 2, (("node", "22.1.0"),)), (SPDX, 1, ())]
)
def test_lists_of_parts_name_their_image(document: Any, parts: int, named: Any) -> None:
    """The digest of what is described, and not that of one of its parts."""
    found = sboms.read(document)
    assert (found.digests, found.parts, found.runtimes) == ((DIGEST,), parts, named)
    assert found.made_at == "2026-11-24T08:00:00+00:00"


@pytest.mark.parametrize(
    "component",
    [
        {"purl": f"pkg:oci/api@{DIGEST.replace(':', '%3A')}?repository_url=r"},
        {"properties": [{"name": "aquasecurity:trivy:RepoDigest", "value": f"r.example/api@{DIGEST}"}]},
        {"hashes": [{"alg": "SHA-256", "content": "AB" * 32}]},
    ],
)
def test_digests_stand_in_many_places(component: dict[str, Any]) -> None:
    """As Trivy, Syft and others write them."""
    document = {**CYCLONEDX, "metadata": {"component": component}}
    assert sboms.read(document).digests == (DIGEST,)


@pytest.mark.parametrize("document", [None, [], {}, {"bomFormat": "x"}, {"spdxVersion": 2}])
def test_other_documents_are_no_lists_of_parts(document: Any) -> None:
    """Neither format is neither."""
    with pytest.raises(sboms.SbomError):
        sboms.read(document)


def seen(folder: Path, tree: dict[str, str], reports: dict[str, Any], more: str = "") -> DependenciesFacts:
    """Look at reports by their key, each sealed around the tree's files, in a target of one image."""
    (commit,) = repository(folder / "code", tree)
    inputs = {name: text.encode() for name, text in tree.items()}
    lines = []
    for key, body in reports.items():
        path = folder / f"{key}.json"
        path.write_text(body if isinstance(body, str) else json.dumps(body))
        made = envelope.values(path.read_bytes(), commit=commit, produced_at=datetime.now(UTC), inputs=inputs)
        envelope.path_of(path).write_text(json.dumps(made))
        lines.append(f'{key} = "{key}.json"')
    text = (
        f'[release]\ncommit = "{commit}"\nimages = {{ api = "{DIGEST}", db = "sha256:00" }}\n'
        f'[build]\nthird_party = ["db"]\n[repo]\nclone = "code"\n[reports]\n' + "\n".join(lines) + "\n" + more
    )
    found = look(folder, "http://127.0.0.1:1", "dependencies", text)
    assert found.state == "seen", found
    facts = found.facts
    assert isinstance(facts, DependenciesFacts)
    return facts


def test_audits_are_tied_to_the_released_lock_files(tmp_path: Path) -> None:
    """By the content at the commit, for both sides of a monorepo; test fixtures are nobody's dependencies."""
    tree = {
        "api/requirements.txt": "a==1\n",
        "web/package-lock.json": '{"packages": {"": {}, "node_modules/x": {}}}',
        "tests/fixtures/poetry.lock": "x",
        "Dockerfile": "FROM python:3.12\n",
    }
    facts = seen(tmp_path, tree, {"pip_audit": PIP, "npm_audit": NPM, "sbom": CYCLONEDX})
    assert facts.locks is not None and [lock.path for lock in facts.locks] == [
        "api/requirements.txt",
        "web/package-lock.json",
    ]
    assert facts.locks[0].sha256 == hashlib.sha256(b"a==1\n").hexdigest()
    assert all(any(audit.is_of(lock) for audit in facts.audits) for lock in facts.locks)
    assert {(one.name, one.version) for one in facts.runtimes} == {("python", "3.12"), ("node", "22.1.0")}
    assert facts.built == (("api", DIGEST),) and facts.sboms[0].digests == (DIGEST,) and not facts.unreadable


def test_one_unreadable_report_hides_no_other(tmp_path: Path) -> None:
    """A refused audit is named beside the finished one."""
    refused = (SAMPLES / "npm-audit-registry-error.json").read_text()
    facts = seen(
        tmp_path, {"requirements.txt": "a==1\n"}, {"pip_audit": PIP, "npm_audit": refused, "sbom": "{"}
    )
    assert [name for name, _ in facts.unreadable] == ["npm_audit.json", "sbom.json"]
    assert len(facts.audits) == 1 and facts.audits[0].audited.found


def test_manifests_without_a_lock_are_named(tmp_path: Path) -> None:
    """What asks for packages and pins none; a lock above covers the folders below."""
    tree = {
        "package-lock.json": '{"packages": {}}',
        "packages/a/package.json": '{"dependencies": {"x": "1"}}',
        "api/requirements.txt": "flask\n",
        "tools/package.json": '{"devDependencies": {"x": "1"}}',
    }
    assert seen(tmp_path, tree, {}).unlocked == ("api/requirements.txt",)


def test_without_a_clone_nothing_is_known_of_locks(tmp_path: Path) -> None:
    """Another folder than a clone of the commit has no lock files to show."""
    repository(tmp_path / "code", {"requirements.txt": "a==1\n"})
    more = f'[release]\ncommit = "{"f" * 40}"\n[repo]\nclone = "code"\n'
    facts = look(tmp_path, "http://127.0.0.1:1", "dependencies", more).facts
    assert facts.locks is None and "repo.clone = 'code'" in facts.clone
