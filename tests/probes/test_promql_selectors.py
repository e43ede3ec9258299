"""What an alert needs in order to fire, and which rules cover an intent."""

from __future__ import annotations

import re

import pytest

from pytest_deploycheck.probes.promql_selectors import Selector, need, normal, parse
from pytest_deploycheck.rules.intents import INTENTS, Intent
from pytest_deploycheck.target.model import Target


def dead(query: str, *without: str) -> list[str]:
    """Return the selectors for want of which a query is dead, when those of some metrics have no series."""
    tree = parse(query)
    assert tree is not None
    return [str(s) for s in need(tree).dead(lambda selector: selector.name not in without)]


@pytest.mark.parametrize(
    ("query", "selectors"),
    [
        ("up == 0", ["up"]),
        ('sum by (a) (rate(x{b="c", d!~"e|f"}[5m] offset 1h)) > 1', ['x{b="c", d!~"e|f"}']),
        ("a / on (i) group_left (n) b > 0.5", ["a", "b"]),
        ("max_over_time(rate(x[5m])[1h:1m]) > 1", ["x"]),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", ["x_bucket"]),
        ("topk(scalar(n), -x)", ["x", "n"]),
        ('{__name__=~"a|b", c="\\"d\\""}', ['{__name__=~"a|b", c="\\"d\\""}']),
        ("time() - vector(5) > 1", []),
        ("absent(x)", []),
        ("a unless b", ["a"]),
    ],
)
def test_selectors_are_found_wherever_they_stand(query: str, selectors: list[str]) -> None:
    """Functions, aggregations, offsets, subqueries and matching hide none; what must be absent is not needed."""
    tree = parse(query)
    assert tree is not None
    found = [str(selector) for selector in need(tree).selectors()]
    assert sorted(found) == sorted(selectors)
    assert all(parse(selector) is not None for selector in found)


@pytest.mark.parametrize(
    ("query", "without", "lacking"),
    [
        ("a > 1", ("a",), ["a"]),
        ("a / b > 1", ("b",), ["b"]),
        ("a and b", ("b",), ["b"]),
        ("a or b", ("b",), []),
        ("a or b", ("a", "b"), ["a", "b"]),
        ("(a or vector(0)) > 1", ("a",), ["a"]),
        ("a unless b", ("b",), []),
        ("a unless b", ("a",), ["a"]),
        ("absent(a) or a == 0", ("a",), ["a"]),
        ("a and (b or c)", ("c",), []),
    ],
)
def test_what_is_dead_depends_on_how_it_is_combined(
    query: str, without: tuple[str, ...], lacking: list[str]
) -> None:
    """Of alternatives one is enough, a constant is no alternative, and what is taken away may be missing."""
    assert dead(query, *without) == lacking


def test_an_outcome_that_did_not_occur_is_no_mistake() -> None:
    """The wider selector keeps what identifies the series, and that the outcome's label is there."""
    tree = parse('x{job="app", status=~"5..", status!="501"}')
    selector = next(need(tree).selectors())
    assert str(selector.without_outcomes()) == 'x{job="app", status!=""}'
    assert Selector("x", ()).without_outcomes() is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum(rate(x[5m])) by (a) > 1e17", "sum by (a) (rate(x[5m]))   > 1e+17"),
        ("a\n  / b # why", "a/b"),
        ("x[300s]", "x[5m]"),
    ],
)
def test_spellings_of_one_expression_are_one(one: str, other: str) -> None:
    """What Prometheus shows is spelt otherwise than what was written."""
    assert normal(one) == normal(other)
    assert normal(one) != normal("y")


def test_another_language_is_not_understood_and_not_condemned() -> None:
    """An expression that cannot be parsed gives no tree, and is compared by its words."""
    assert parse("increase_pure(x[5m]) keep_metric_names !!") is None
    assert normal("a  !!\n b") == "a !! b"


RULES = {
    # Names and expressions as in widely used rule collections, shortened.
    "target down": "TargetDown\n100 * (count(up == 0) BY (job) / count(up) BY (job)) > 10",
    "absent job": 'KubeletDown\nabsent(up{job="kubelet"} == 1)',
    "5xx ratio": 'HighErrors\nsum(rate(nginx_http_requests_total{status=~"^5.."}[1m])) > 5',
    "latency": "NginxLatencyHigh\nhistogram_quantile(0.99, sum(rate(request_seconds_bucket[2m])) by (le)) > 3",
    "disk": "NodeFilesystemAlmostOutOfSpace\nnode_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03",
    "memory": "HostOutOfMemory\nnode_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1",
    "certificate": "SslCertificateWillExpire\nprobe_ssl_earliest_cert_expiry - time() < 86400 * 20",
    "backup age": "BackupMissing\ntime() - restic_last_success > 90000",
    "database down": "PostgresqlDown\npg_up == 0",
    "cache down": "RedisDown\nredis_up == 0",
    "RPC down or head lag": "EthNodeBehind\nmax(eth_block_number) - eth_block_number > 20",
    "signer balance": "HotWalletBalanceLow\nwallet_balance_wei < 1e17",
    "queue": "CeleryBacklog\ncelery_queue_length > 100",
    "error burst": 'LogErrors\nsum(rate(log_messages_total{level="error"}[5m])) > 1',
}


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
def test_intents_recognise_the_usual_rules(intent: Intent) -> None:
    """Each intent is found in a rule of that purpose, and not in the one that says that all is well."""
    pattern = re.compile(intent.pattern, re.IGNORECASE)
    assert pattern.search(RULES[intent.name])
    assert not pattern.search("Watchdog\nvector(1)")
    assert not intent.when or intent.when in Target.model_fields


@pytest.mark.parametrize(
    "text",
    [
        'ApiDown\nup{job="api"} == 0',
        "Down\navg_over_time(up[5m]) < 0.9",
        "X\nup != 1",
        "InstanceDown\nfoo > 1",
    ],
)
def test_ways_to_say_that_a_target_is_down(text: str) -> None:
    """Comparisons of any form count."""
    assert re.search(INTENTS[0].pattern, text, re.IGNORECASE)


@pytest.mark.parametrize("text", ["Up\nup == 1", "Backup\nbackup == 0", "A\nstartup_seconds < 1"])
def test_other_metrics_are_not_up(text: str) -> None:
    """A word that ends in up is no target."""
    assert not re.search(INTENTS[0].pattern, text, re.IGNORECASE)
