"""Faults of sign-offs: each of the ten stops to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.scope import SCOPES, items_of
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.ledgers import green_run, path_of
from tests.faults.tools import edited, signed_again, unsaid

ITEM = {role: item for item, role in policy.SIGN_OFFS.items()}
ORDER = list(SCOPES)
NEEDS = ("people",)


def later(role: str) -> tuple[str, ...]:
    """Return the sign-offs that are over a role's, directly."""
    return tuple(ITEM[one] for one in ORDER if role in SCOPES[one].after)


def said(
    role: str, change: Callable[[dict[str, Any]], object], *, sign: bool = True
) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection that changes what a role signed."""
    return lambda demo: signed_again(demo, ITEM[role], change, sign=sign)


for role in ORDER:
    fault(
        ITEM[role], "a byte was changed after signing", probes=("evidence",), also=later(role), needs=NEEDS
    )(said(role, lambda values: values.update(statement="Looked at, and fine."), sign=False))
    fault(
        ITEM[role],
        "nobody signed",
        probes=("evidence",),
        also=later(role),
        needs=NEEDS,
        becomes=Verdict.UNPROVEN,
    )(lambda demo, role=role: unsaid(demo, ITEM[role]))  # type: ignore[misc]


def facts(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Return a change of some facts."""
    return lambda values: values["facts"].update(changes)


for role, name, change in (
    ("qa", "half of the plan was executed", facts(plan_executed=0.5)),
    ("qa", "a serious defect is open", facts(open_defects={"p0": 1, "p1": 0})),
    ("product", "a criterion is unmet", facts(acceptance=[{"feature": "a", "criterion": "b", "result": "unmet"}])),
    ("operations", "an empty roster", facts(roster=[])),
    ("compliance", "an obligation is open", facts(obligations=[{"name": "a", "status": "open", "owner": "b"}])),
    ("pm", "another go-live time", facts(go_live_at="2020-01-01T00:00:00+00:00")),
    ("cto", "it does not say go", facts(decision="no-go")),
    ("cto", "it is over another sign-off", lambda values: values["covers"].update({ITEM["qa"]: "0" * 64})),
    ("devops", "it is over another ledger", lambda values: values["covers"].update(ledger="0" * 64)),
    ("backend", "the target file was another", lambda values: values["covers"].update(config="0" * 64)),
    ("techlead", "signed before the technical roles", lambda values: values.update(produced_at="2026-01-01T00:00:00Z")),
):  # fmt: skip
    becomes = Verdict.UNPROVEN if "before" in name else Verdict.FAILED
    fault(ITEM[role], name, probes=("evidence",), also=later(role), needs=NEEDS, becomes=becomes)(
        said(role, change)
    )


@fault(ITEM["cto"], "who deployed approves", probes=("evidence",), needs=NEEDS)
@contextmanager
def same_person(demo: Deployment) -> Iterator[None]:
    """Let the deployer be the CTO as well."""

    def change(values: dict[str, Any]) -> None:
        values["producer"]["principal"] = "devops@token.test"

    roles = demo.world.path("people", "roles.toml")
    signers = demo.world.path("people", "allowed_signers")
    with (
        edited(roles, ('cto = ["cto@token.test"]', 'cto = ["cto@token.test", "devops@token.test"]')),
        edited(signers, ("cto@token.test ", "cto@token.test,devops@token.test ")),
        signed_again(demo, ITEM["cto"], change),
    ):
        yield


@fault(
    ITEM["security"],
    "an item in its scope fails later",
    probes=("ledger",),
    also=(
        *tuple(
            ITEM[role]
            for role in ORDER
            if "post_deploy.security.headers" in items_of(role, ["post_deploy.security.headers"])
        ),
        "go_live.final.green",
        "go_live.final.scans",
    ),
    needs=NEEDS,
)
@contextmanager
def fails_later(demo: Deployment) -> Iterator[None]:
    """Enter a later run with a failure."""
    path = path_of(demo)
    before = path.read_bytes()
    green_run(demo, **{"post_deploy.security.headers": "failed"})
    try:
        yield
    finally:
        path.write_bytes(before)


@fault(
    ITEM["backend"],
    "the ledger was changed",
    probes=("ledger",),
    also=(*policy.SIGN_OFFS, "go_live.final.green", "go_live.final.scans"),
    needs=NEEDS,
)
@contextmanager
def ledger_changed(demo: Deployment) -> Iterator[None]:
    """Turn a verdict in the ledger."""
    with edited(path_of(demo), ('"deploy.code.tests": "passed"', '"deploy.code.tests": "failed"')):
        yield
