"""Limits of operations: documentation and maintenance."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class OperationsLimits(Numbers):
    """Limits of operations: documents, contacts, updates and maintenance windows."""

    docs_review_max_age_d: float = limit(90, "days", "own: the deployment guide was reviewed within this")
    runbooks_review_max_age_d: float = limit(180, "days", "own: runbooks and the troubleshooting guide")
    runbook_exercise_max_age_d: float = limit(180, "days", "own: a critical runbook was gone through")
    doc_min_words: float = limit(40, "words", "own: shorter is a title page")
    contacts_review_max_age_d: float = limit(90, "days", "own: contacts were reviewed within this")
    security_txt_max_d: float = limit(
        366, "days", "RFC 9116 2.5.5: Expires less than a year ahead, and a day"
    )
    security_txt_min_d: float = limit(7, "days", "own: it is renewed before it expires")
    api_dead_ops_max: int = limit(0, "operations", "own: documented and not there")
    api_unknown_routes_max: int = limit(0, "routes", "ASVS 13.4.5: served and not documented")
    api_sample_max: int = limit(30, "operations", "own: so many safe operations are asked")
    updates_review_max_age_d: float = limit(180, "days", "own: the update procedure was reviewed within this")
    updates_run_max_age_d: float = limit(7, "days", "own: automatic updates last succeeded within this")
    security_update_max_age_d: float = limit(14, "days", "own: a security update is installed within this")
    reboot_max_age_d: float = limit(14, "days", "own: a restart that updates want is done within this")
    image_max_age_d: float = limit(30, "days", "own: age of the image of a server that is never patched")
    deps_update_max_age_d: float = limit(35, "days", "own: the newest update of dependencies in the code")
    windows_review_max_age_d: float = limit(90, "days", "own: the calendar was reviewed within this")
    window_ahead_max_d: float = limit(92, "days", "own: the next maintenance window begins within this")
    window_span_d: float = limit(90, "days", "own: so far ahead maintenance is planned")
    window_gap_max_d: float = limit(92, "days", "own: between two windows of that span")
    window_notice_min_h: float = limit(72, "h", "own: users are told so long before")
    silence_extra_max_h: float = limit(1, "h", "own: a silence outlasts its window by no more")
