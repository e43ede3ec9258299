"""Alertmanager's routing tree, walked as it walks it."""

from __future__ import annotations

import pytest
import yaml

from pytest_deploycheck.rules import alert_routes
from pytest_deploycheck.rules.alert_routes import BadMatcher, Matcher

CONFIG = yaml.safe_load(
    """
route:
  receiver: default
  routes:
    - matchers: ['severity=~"critical|page"']
      receiver: pager
      continue: true
    - match: {team: chain}
      routes:
        - match_re: {severity: crit.*}
          receiver: chain-pager
      receiver: chain
    - receiver: warnings
      matchers: ['{severity="warning", env!="test"}']
receivers:
  - name: pager
    pagerduty_configs: [{}]
    slack_configs: [{}, {}]
  - name: "null"
  - name: empty
    webhook_configs: []
"""
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["default"]),
        ({"severity": "critical"}, ["pager"]),
        ({"severity": "critically"}, ["default"]),
        ({"severity": "critical", "team": "chain"}, ["pager", "chain-pager"]),
        ({"severity": "info", "team": "chain"}, ["chain"]),
        ({"severity": "warning"}, ["warnings"]),
        ({"severity": "warning", "env": "test"}, ["default"]),
    ],
)
def test_routes(labels: dict[str, str], expected: list[str]) -> None:
    """The first matching child takes it, `continue` lets the next ones try, and the parent is the fallback."""
    assert alert_routes.receivers(CONFIG["route"], labels) == expected


def test_a_route_without_a_receiver_inherits_one() -> None:
    """A child that names no receiver has its parent's."""
    route = {"receiver": "a", "routes": [{"match": {"x": "1"}}]}
    assert alert_routes.receivers(route, {"x": "1"}) == ["a"]


def test_integrations_are_counted() -> None:
    """A receiver without any integration is worth nothing."""
    assert alert_routes.integrations(CONFIG) == {"pager": 3, "null": 0, "empty": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="b"', [Matcher("a", "=", "b")]),
        ("a = b", [Matcher("a", "=", "b")]),
        ('{a="b,c",d!~"e\\"f"}', [Matcher("a", "=", "b,c"), Matcher("d", "!~", 'e"f')]),
        ('a=""', [Matcher("a", "=", "")]),
    ],
)
def test_matchers(text: str, expected: list[Matcher]) -> None:
    """Quoted and plain values, alone and in braces."""
    assert alert_routes.parse(text) == expected


@pytest.mark.parametrize("text", ["a", "=b", 'a="b" c="d"'])
def test_what_is_not_understood_is_said(text: str) -> None:
    """A matcher that is none is an error and not a match."""
    with pytest.raises(BadMatcher):
        alert_routes.parse(text)
