"""The rules probe: released files beside loaded rules, and a Prometheus of another shape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.rules import RulesFacts
from pytest_deploycheck.probes.rules_released import Drift, compare, of_api, read
from tests.probes.service import Asked, Reply, look, serving

FILE = """
groups:
  - name: api
    rules:
      - record: job:up
        expr: sum by (job) (up)
      - alert: Down
        expr: up{job="app"} == 0  # both
        for: 5m
        labels: {severity: critical, tier: 1}
        annotations: {summary: "down: {{ $labels.instance }}"}
"""
RULE = {
    "type": "alerting",
    "name": "Down",
    "query": 'up{job="app"} == 0',
    "duration": 300,
    "labels": {"severity": "critical", "tier": "1"},
    "annotations": {"summary": "down: {{ $labels.instance }}"},
    "health": "ok",
    "state": "inactive",
    "lastEvaluation": "2026-11-24T06:00:00.123456789Z",
    "evaluationTime": 0.01,
}
RECORD = {"type": "recording", "name": "job:up", "query": "sum by(job) (up)", "health": "ok"}
GROUP = {"name": "api", "interval": 60}


def drift(tmp_path: Path, *loaded: dict[str, Any], text: str = FILE) -> Drift:
    """Return how loaded rules differ from a file."""
    (tmp_path / "a.yml").write_text(text)
    return compare(read(tmp_path), [of_api(GROUP, rule) for rule in loaded])


def test_the_same_rules_in_other_words_are_the_same(tmp_path: Path) -> None:
    """Spelling, comments and numbers as labels are no drift."""
    assert drift(tmp_path, RECORD, RULE) == Drift(2, (), (), ())


def test_rules_of_the_operator_are_read(tmp_path: Path) -> None:
    """A PrometheusRule holds the groups below spec."""
    inner = FILE.replace("\n", "\n  ")
    text = f"kind: PrometheusRule\nspec:{inner}"
    assert drift(tmp_path, RECORD, RULE, text=text) == Drift(2, (), (), ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": 'up{job="api"} == 0'}, "Down: another expression"),
        ({"duration": 600}, "Down: for 600 s, released 300 s"),
        ({"labels": {"severity": "info"}}, "Down: other labels"),
        ({"annotations": {}}, "Down: other annotations"),
    ],
)
def test_changes_on_the_server_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """Each kind of change is told."""
    assert drift(tmp_path, RECORD, {**RULE, **change}).changed == (words,)


def test_missing_and_foreign_rules_are_told_apart(tmp_path: Path) -> None:
    """A rule that is not loaded, and one that nobody released."""
    found = drift(tmp_path, RECORD, {**RULE, "name": "Other"})
    assert (found.missing, found.foreign) == (("Down",), ("Other",))


def test_one_name_may_stand_twice(tmp_path: Path) -> None:
    """Warning and critical alerts of one name are matched to their own."""
    text = FILE + "      - {alert: Down, expr: up == 0, for: 1m, labels: {severity: warning}}\n"
    other = {**RULE, "query": "up == 0", "duration": 60, "labels": {"severity": "warning"}, "annotations": {}}
    assert drift(tmp_path, other, RECORD, RULE, text=text) == Drift(3, (), (), ())


@pytest.mark.parametrize(
    "text", ["", "groups: []", "groups: [{name: a, rules: [{expr: up}]}]", "a: [", "- 1"]
)
def test_files_without_rules_are_no_release(tmp_path: Path, text: str) -> None:
    """An empty folder, broken YAML and rules without a name are reasons, never agreement."""
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(CannotLook):
        read(tmp_path)


def prometheus(rules: list[dict[str, Any]], series: dict[str, int]) -> Any:
    """Return a Prometheus with some rules and some series; selectors are answered by their metric's name."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/-/ready":
            return Reply(200, "ready")
        if asked.path == "/api/v1/rules":
            return Reply(200, {"status": "success", "data": {"groups": [{**GROUP, "rules": rules}]}})
        query = asked.query["query"][0]
        if query == "time()" or query == "vector(1)":
            result: Any = [1795500060.0, "1795500060"]
            return Reply(200, {"status": "success", "data": {"resultType": "scalar", "result": result}})
        parts = re.findall(r'last_over_time\((\w+).*?"dc", "(\d+)"', query)
        rows = [
            {"metric": {"dc": number}, "value": [0, str(series[name])]}
            for name, number in parts
            if name in series
        ]
        return Reply(200, {"status": "success", "data": {"resultType": "vector", "result": rows}})

    return answer


def test_a_big_rule_set_is_asked_for_in_few_queries(tmp_path: Path) -> None:
    """Three hundred rules cost a handful of requests, and the dead one among them is found."""
    asked: list[str] = []
    rules = [{**RULE, "name": f"R{n}", "query": f'metric_{n}{{job="app"}} > 1'} for n in range(300)]
    reply = prometheus(rules, {f"metric_{n}": 2 for n in range(300) if n != 137})

    def count(request: Asked) -> Reply:
        asked.append(request.path)
        return reply(request)

    with serving(count) as base:
        seen = look(tmp_path, base, "rules", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    assert isinstance(seen.facts, RulesFacts), seen.detail
    assert [alert.name for alert in seen.facts.alerts if alert.dead] == ["R137"]
    assert len(seen.facts.alerts) == 300
    assert len(asked) < 30


def test_rules_not_evaluated_yet_are_waited_for(tmp_path: Path) -> None:
    """Right after a reload a rule's health is unknown; the next evaluation tells."""
    state = {"looks": 0}
    fresh = prometheus([{**RULE, "health": "unknown"}], {"up": 2})
    done = prometheus([RULE], {"up": 2})

    def answer(asked: Asked) -> Reply:
        state["looks"] += asked.path == "/api/v1/rules"
        return (fresh if state["looks"] < 3 else done)(asked)

    with serving(answer) as base:
        seen = look(tmp_path, base, "rules", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    assert [alert.health for alert in seen.facts.alerts] == ["ok"], json.dumps(seen.detail)


def test_other_annotation_names_will_do(tmp_path: Path) -> None:
    """A title, a message and a playbook tell what summary, description and runbook_url tell."""
    notes = {"title": "t", "message": "m", "playbook": "https://wiki/p"}
    rule = {**RULE, "annotations": notes, "labels": {"priority": "P1"}, "keepFiringFor": 900, "duration": 0}
    with serving(prometheus([rule], {"up": 2})) as base:
        seen = look(tmp_path, base, "rules", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    alert = seen.facts.alerts[0]
    assert (alert.lacks, alert.runbook, alert.severity, alert.for_s) == ((), "https://wiki/p", "P1", 900.0)


def test_default_intents_follow_the_target_file(tmp_path: Path) -> None:
    """A product without cache and chain is not asked for alerts on them."""
    with serving(prometheus([RULE], {"up": 2})) as base:
        seen = look(tmp_path, base, "rules", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    intents = dict(seen.facts.intents)
    assert intents["target down"] == ("Down",)
    assert "disk" in intents and "cache down" not in intents and "signer balance" not in intents


def test_a_rule_that_cannot_fire_covers_nothing(tmp_path: Path) -> None:
    """An intent is not met by an alert on a metric that does not exist."""
    with serving(prometheus([RULE], {})) as base:
        seen = look(tmp_path, base, "rules", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    assert seen.facts.alerts[0].dead == ('up{job="app"}',)
    assert dict(seen.facts.intents)["target down"] == ()
