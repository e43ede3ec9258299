"""Probes of the final checks before servers of other makes, in shapes that the demo's never have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_deploycheck.probes.green import Watched, _judged
from pytest_deploycheck.probes.promql import Line
from pytest_deploycheck.probes.rule_tests import read
from pytest_deploycheck.probes.slo import COMPARE, _settled
from pytest_deploycheck.probes.slo_rows import Row
from pytest_deploycheck.rules.slow_intents import SLOW_INTENTS

NOW, WINDOW = 10_000.0, 900.0


def watched(values: str, *, every: float = 15, until: float = NOW - 5) -> Watched:
    """Return what is made of samples, `1` good and `0` bad, of which the last is `until`."""
    points = [(until - every * n, value) for n, value in enumerate(reversed(values))][::-1]
    labels = {"job": "app", "instance": "a:1"}
    return _judged("up", labels, points, NOW, WINDOW, {("app", "a:1"): every})


def test_a_target_that_is_new_may_fail_at_its_start() -> None:
    """Its first failures are its start; what comes after its first success is not."""
    found = watched("0001111111")
    assert (found.failed, found.starting_s, found.span_s) == (0, 45.0, 140.0)
    assert watched("0001110111").failed == 1


def test_a_target_that_was_there_before_has_no_start() -> None:
    """With samples from the window's beginning on, failures there are failures."""
    found = watched("000" + "1" * 57)
    assert (found.failed, found.starting_s, found.span_s) == (3, 0.0, WINDOW)


def test_a_target_that_never_answered_has_failed() -> None:
    """However new it is."""
    found = watched("0000")
    assert found.failed == 4
    assert not found.good


def test_holes_are_counted() -> None:
    """What Prometheus did not keep is missing in the count, whatever a query would have filled in."""
    found = watched("1" * 30, every=15, until=NOW - 450)
    assert found.samples == 30
    assert found.due == 60


@pytest.mark.parametrize(
    ("intent", "name", "expression", "covered"),
    [
        ("disk fills up", "NodeFilesystemSpaceFillingUp", "predict_linear(node_filesystem_avail_bytes{fstype!=''}[6h], 4*3600) < 0", True),
        ("disk fills up", "DiskFull", "node_filesystem_avail_bytes < 10", False),
        ("inodes", "NodeFilesystemAlmostOutOfFiles", "node_filesystem_files_free / node_filesystem_files < 0.03", True),
        ("certificate expires", "CertManagerCertExpirySoon", "certmanager_certificate_expiration_timestamp_seconds - time() < 1", True),
        ("WAL archiving fails", "PgArchive", "increase(pg_stat_archiver_failed_count[30m]) > 0", True),
        ("transaction ids run out", "GpuXid", "DCGM_FI_DEV_XID_ERRORS > 0", False),
        ("clock drifts", "NodeClockSkewDetected", "node_timex_offset_seconds > 0.05", True),
        ("clock drifts", "InputQueue", "input_queue > 5", False),
        ("signer balance", "LoadBalancerDown", "loadbalancer_up == 0", False),
        ("node provider's quota", "KubeQuotaFull", "kube_resourcequota > 0.9", False),
        ("log agent drops lines", "PromtailDrops", "rate(promtail_dropped_entries_total[5m]) > 0", True),
        ("Prometheus's storage", "PrometheusTSDBCompactionsFailing", "increase(prometheus_tsdb_compactions_failed_total[3h]) > 0", True),
    ],
)  # fmt: skip
def test_rules_of_others_are_recognised(intent: str, name: str, expression: str, covered: bool) -> None:
    """Rules of the Kubernetes mixins and of Debian's examples count for what they are about, and for nothing else."""
    pattern = next(one.pattern for one in SLOW_INTENTS if one.name == intent)
    assert (re.search(pattern, f"{name}\n{expression}", re.IGNORECASE) is not None) is covered


def test_the_start_after_a_release_is_left_out() -> None:
    """What is beyond the limit at first does not count, unless it lasts; what comes later does."""
    row = Row("availability", "x", ">=", 0.99)
    points = tuple(zip((0.0, 10.0, 20.0, 30.0), (0.0, 0.5, 1.0, 0.7), strict=True))
    assert _settled(row, Line((), points), 120) == [1.0, 0.7]
    assert _settled(row, Line((), points), 5) == [0.5, 1.0, 0.7]
    assert COMPARE["<"](1, 2)


RULES = """\
groups:
  - name: g
    rules:
      - {alert: Down, expr: up == 0, for: 1m, labels: {severity: ticket}}
      - {alert: Other, expr: x > 1}
"""
TESTS = """\
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{series: 'up{job="a"}', values: '0x10'}]
    alert_rule_test:
      - {eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {severity: ticket, job: a}}]}
      - {eval_time: 5m, alertname: Other, exp_alerts: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with rules and a test of them."""
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "rules_test.yml").write_text(TESTS)
    return tmp_path


def test_tests_in_promtools_own_form(folder: Path) -> None:
    """An alert that is expected not to fire was never shown firing."""
    (found,) = read(folder, 30)
    assert found.fires == ("Down",)
    assert [name for name, _ in found.rules] == ["Down", "Other"]
    assert found.passed in (True, None)


@pytest.mark.parametrize("change", [("5m, alertname: Down", "0m, alertname: Down"), ("up == 0", "up == 7")])
def test_a_test_that_fails(folder: Path, change: tuple[str, str]) -> None:
    """Another expectation, or another rule: the outcome that is remembered is of the content."""
    read(folder, 30)
    for path in folder.iterdir():
        path.write_text(path.read_text().replace(*change))
    (found,) = read(folder, 30)
    assert found.passed in (False, None)
    assert found.said


def test_without_promtool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was shown, and nothing is wrong."""
    monkeypatch.setenv("PATH", str(folder))
    (found,) = read(folder, 30)
    assert found.passed is None
    assert "not installed" in found.said
