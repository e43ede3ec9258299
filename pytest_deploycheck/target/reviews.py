"""What people look at again and again after the go-live."""

from __future__ import annotations

from pytest_deploycheck.target.base import Section


class ReviewsSection(Section):
    """`[reviews]`: the numbers that reviews are held against.

    `totals`: SELECTs of one number by the name that a report of user behaviour gives it; two `%s` in each are
    the period's start and its end.  Without any, rows of the tables of `[db]` are counted by `created_at`.
    `security_sources`: services of `logs.services` whose lines a security review reads; empty, all of them.
    `security_patterns`: regular expressions (RE2) by the name of what they find, instead of the usual ones.
    """

    totals: dict[str, str] = {}
    security_sources: list[str] = []
    security_patterns: dict[str, str] = {}
