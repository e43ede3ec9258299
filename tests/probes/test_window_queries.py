"""The windows' PromQL is what Prometheus accepts, for other metrics and labels than the usual ones as well."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_deploycheck.probes.window_peaks import _expressions
from pytest_deploycheck.probes.window_queries import DAY, WEEK, query, with_
from pytest_deploycheck.target import Target, load

PLAIN = ""
OTHER = """
traffic_metric = 'http_server_requests_seconds_count{application="shop", env="prod"}'
latency_metric = 'http_server_requests_seconds{application="shop"}'
route_label = "uri"
host_selector = 'cluster="a"'
container_selector = 'namespace="shop", container!=""'
"""


def target(folder: Path, more: str = PLAIN, watch: str = "") -> Target:
    """Return a target with a Prometheus of some shape."""
    path = folder / "target.toml"
    path.write_text(
        '[target]\nname = "shop"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
        f'[prometheus]\nurl = "http://127.0.0.1:1"\njobs = {{ app = 1 }}\n{more}\n[watch]\n{watch}\n'
    )
    return load(path)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
@pytest.mark.parametrize("more", [PLAIN, OTHER], ids=["usual", "other"])
def test_prometheus_accepts_every_expression(more: str, tmp_path: Path) -> None:
    """Each expression parses, as a recording rule's would."""
    found = target(tmp_path, more)
    assert found.prometheus is not None
    expressions = [text for name in {*DAY, *WEEK} if (text := query(found, name, 300.0))]
    peaks = _expressions(found.prometheus.host_selector, found.prometheus.container_selector, ("app", "a.b"))
    expressions += [text.replace("$window", "86400000ms") for _, text, _ in peaks]
    rules = [{"record": f"r{n}", "expr": text} for n, text in enumerate(expressions)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rules) > 20


def test_monitoring_is_no_traffic(tmp_path: Path) -> None:
    """Requests, errors and times are of routes that users ask, however the label is called."""
    found = target(tmp_path, OTHER)
    for name in ("requests", "errors", "p95"):
        text = query(found, name, 300.0)
        assert 'uri!~"/health(/.*)?|' in text and 'application="shop"' in text, text
    assert "http_server_requests_seconds_bucket{" in query(found, "p95", 300.0)


def test_errors_are_nothing_only_where_answers_have_a_status(tmp_path: Path) -> None:
    """Without a label of the status there is no ratio of errors, rather than one of zero."""
    text = query(target(tmp_path), "errors", 300.0)
    assert text.endswith(")")
    assert " or 0 * sum(rate(" in text
    assert "status!=``" in text and "code=~`5..`" in text


def test_an_expression_of_ones_own_replaces_the_usual_one(tmp_path: Path) -> None:
    """`watch.queries` names what is measured, and `$step` is the width of a step."""
    found = target(tmp_path, watch='queries = { p95 = "max(latency_seconds[$step])" }')
    assert query(found, "p95", 300.0) == "max(latency_seconds[300000ms])"
    assert query(found, "log_errors", 300.0) == ""


def test_selectors_are_joined() -> None:
    """Matchers are added to a name, to a selector, and to one that ends in a comma."""
    assert with_("up") == "up{}"
    assert with_("up", "", 'a="b"') == 'up{a="b"}'
    assert with_('up{job="x", }', 'a="b"') == 'up{job="x", a="b"}'
