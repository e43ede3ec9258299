"""Faults of what is around the mobile app: sites that it opens links of, tests on devices, stores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from pytest_deploycheck.demo import mobile, standins
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, token_address
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.mobile import device
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.verdict import Verdict
from tests.faults.communication import facts, later, said, without
from tests.faults.functional import answered, served
from tests.faults.harness import fault
from tests.faults.mobile import ENDPOINTS, NEEDS, STORES, TESTED, other_files
from tests.faults.tools import edited, unsaid

LINKS = ("mobile_links",)


def site(change: Callable[[World], Any]) -> Any:
    """Return an injection that changes the sites' files."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with other_files(demo) as world:
            change(world)
            yield

    return inject


def written(number: int, content: Any) -> Callable[[World], Any]:
    """Return a change to another association file."""
    return lambda world: mobile.association_files(world)[number].write_text(json.dumps(content))


for name, publish in (
    ("the site names another certificate", lambda world: mobile.associations(world, "ab" * 32)),
    ("the site names no Android app", written(0, [])),
    ("the site permits only logins", written(0, [{"relation": ["delegate_permission/common.get_login_creds"], "target": {"namespace": "android_app", "package_name": mobile.PACKAGE, "sha256_cert_fingerprints": ["AB"]}}])),
    ("the site's file is no JSON", lambda world: mobile.association_files(world)[1].write_text("<html>")),
):  # fmt: skip
    fault(ENDPOINTS, name, probes=LINKS, needs=NEEDS)(site(publish))

fault(ENDPOINTS, "the site names another of Apple's apps", probes=LINKS, needs=NEEDS)(
    site(written(1, {"applinks": {"details": [{"appID": "0THERTEAM1.test.tokens.app"}]}}))
)

for name, directives in (
    ("Apple's file is redirected", "return 301 https://tokens.test/.well-known/apple-app-site-association;"),
    ("Apple's file is gone", "return 404;"),
    ("Apple's file is served as a download", "default_type application/octet-stream; return 200 '{}';"),
):

    def inject(demo: Deployment, text: str = directives) -> AbstractContextManager[None]:
        """Let nginx answer by itself."""
        return served(demo, "/.well-known/apple-app-site-association", text)

    fault(ENDPOINTS, name, probes=LINKS, needs=NEEDS)(inject)


@fault(ENDPOINTS, "the API serves only newer apps", probes=LINKS, also=(STORES,), needs=NEEDS)
@contextmanager
def too_new(demo: Deployment) -> Iterator[None]:
    """Let the API ask for a version that nobody has."""
    config = {
        "chain_id": CHAIN_ID,
        "contract_address": token_address(demo.world),
        "min_app_version": "1.10.0",
    }
    with answered(demo, "/config", 200, config):
        yield


@fault(
    STORES,
    "the API serves only newer apps than the stores offer",
    probes=LINKS,
    also=(ENDPOINTS,),
    needs=NEEDS,
)
@contextmanager
def too_new_for_stores(demo: Deployment) -> Iterator[None]:
    """Look at the same from the stores."""
    with too_new(demo):
        yield


@fault(
    ENDPOINTS,
    "the API does not tell which apps it serves",
    probes=LINKS,
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def untold(demo: Deployment) -> Iterator[None]:
    """Leave the field out."""
    with answered(demo, "/config", 200, {"chain_id": CHAIN_ID}):
        yield


@contextmanager
def offered(demo: Deployment, **switches: Any) -> Iterator[None]:
    """Let the stand-in for Apple answer otherwise."""
    standins.switch(demo.world, "stores", **switches)
    try:
        yield
    finally:
        standins.switch(demo.world, "stores", **dict.fromkeys(switches))


@fault(ENDPOINTS, "Apple's copy is an old one", probes=LINKS, needs=NEEDS)
@contextmanager
def old_copy(demo: Deployment) -> Iterator[None]:
    """Let devices get what the site had before."""
    with offered(demo, copy={"applinks": {"details": [{"appID": "T0KENSTEAM.test.tokens.wallet"}]}}):
        yield


RECORD = ("evidence", "mobile_use")
SIMULATORS = [{"kind": "simulator", "platform": one, "os_major": 18} for one in ("ios", "android", "android")]
PHONES = [{"kind": "device", "platform": "android", "os_major": major} for major in (14, 15)]
IPHONE = {"kind": "device", "platform": "ios", "os_major": 17}


def moved(**by: float) -> Callable[[dict[str, Any]], object]:
    """Return a change of when the tests were."""

    def change(values: dict[str, Any]) -> None:
        for key in ("started_at", "finished_at"):
            at = datetime.fromisoformat(values["facts"][key]) + timedelta(**by)
            values["facts"][key] = at.isoformat()

    return change


for item, name, change, becomes in (
    (TESTED, "against another release", facts(backend_commit="0" * 40), Verdict.FAILED),
    (TESTED, "against staging", facts(environment="staging"), Verdict.FAILED),
    (TESTED, "simulators only", facts(devices=SIMULATORS), Verdict.FAILED),
    (TESTED, "one device", facts(devices=PHONES[:1]), Verdict.FAILED),
    (TESTED, "no device of Apple's", facts(devices=PHONES), Verdict.FAILED),
    (TESTED, "not on the newest system", facts(devices=[*PHONES, IPHONE]), Verdict.FAILED),
    (TESTED, "the purchase failed", facts(flows={**dict.fromkeys(device.FLOWS, "passed"), "purchase": "failed"}), Verdict.FAILED),
    (TESTED, "nobody redeemed", facts(flows=dict.fromkeys(device.FLOWS[:3], "passed")), Verdict.FAILED),
    (TESTED, "another build was tried", facts(apps=[{"sha256": "0" * 64}]), Verdict.FAILED),
    (TESTED, "another report was signed", facts(reports=[{"sha256": "0" * 64}]), Verdict.FAILED),
    (TESTED, "another number of tests was signed", facts(tests=12), Verdict.FAILED),
    (TESTED, "tests of last month", moved(days=-20), Verdict.FAILED),
    (TESTED, "the log of that time knows no such client", moved(hours=-5), Verdict.FAILED),
    (TESTED, "it does not say what was tried", without("flows"), Verdict.UNPROVEN),
    (TESTED, "of another release", lambda values: values["release"].update(commit="0" * 40), Verdict.UNPROVEN),
    (STORES, "the stores do not know how data is used", facts(listing={"privacy": False, "export": True}), Verdict.FAILED),
    (STORES, "planned for another go-live", later("go_live_at", days=1), Verdict.FAILED),
    (STORES, "users had it weeks before the service", later("release_at", days=-14), Verdict.FAILED),
    (STORES, "users get it long after", later("release_at", days=30), Verdict.FAILED),
    (STORES, "what was said is two weeks old", lambda values: values.update(produced_at=(datetime.now(UTC) - timedelta(days=14)).isoformat(timespec="seconds")), Verdict.UNPROVEN),
    (STORES, "nothing is said of Google's store", without("play"), Verdict.UNPROVEN),
):  # fmt: skip
    fault(item, name, probes=RECORD, needs=NEEDS, becomes=becomes)(said(item, change))


def play(**changes: Any) -> Any:
    """Return an injection that changes what is said of Google's store."""
    return said(STORES, lambda values: values["facts"]["play"].update(changes))


PLAY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Google has it for testers only", {"track": "internal"}),
    ("Google's release was halted", {"status": "halted"}),
    ("nobody is offered it", {"status": "inProgress", "rollout": 0}),
    ("Google has another build", {"version_code": 10401}),
    ("Google has another app", {"package": "test.tokens.wallet"}),
    ("Google has the version before", {"version": "1.4.1"}),
)
for name, changes in PLAY:
    fault(STORES, name, probes=("evidence",), needs=NEEDS)(play(**changes))


@fault(TESTED, "a test failed", probes=RECORD, needs=NEEDS)
@contextmanager
def failed(demo: Deployment) -> Iterator[None]:
    """Let the redemption fail, and sign that report."""
    path = device.report(demo.world)
    with edited(path, ('name="redeem" ', 'name="redeem" status="failed" '), ("</testcase>\n  </testsuite>", '<failure message="409"/></testcase>\n  </testsuite>')):  # fmt: skip
        digest = sha256(path.read_bytes()).hexdigest()
        with said(TESTED, facts(reports=[{"sha256": digest}]))(demo):
            yield


@fault(TESTED, "the report was changed afterwards", probes=RECORD, needs=NEEDS)
@contextmanager
def changed(demo: Deployment) -> Iterator[None]:
    """Edit the report."""
    with edited(device.report(demo.world), ('name="redeem"', 'name="redeem again"')):
        yield


fault(TESTED, "changed after it was signed", probes=RECORD, needs=NEEDS)(
    said(TESTED, facts(environment="production"), sign=False)
)

for item in (TESTED, STORES):

    @contextmanager
    def nobody(demo: Deployment, item: str = item) -> Iterator[None]:
        """Take the record away."""
        with unsaid(demo, item):
            yield

    fault(item, "nobody signed", probes=RECORD, needs=NEEDS, becomes=Verdict.UNPROVEN)(nobody)


@fault(TESTED, "the app that was in the log is an older one", probes=("mobile_use",), needs=NEEDS)
@contextmanager
def older_client(demo: Deployment) -> Iterator[None]:
    """Ask for the requests of a version that nobody used."""
    with edited(demo.target, (r"TokenApp/{version} ", r"TokenApp/1\\.4\\.3 ")):
        yield


OFFERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the store has the version before", {"version": "1.4.1"}),
    ("the store does not have the app", {"count": 0}),
    ("the store knows several of them", {"count": 2}),
    ("the store answers with another app", {"fields": {"bundleId": "test.tokens.wallet"}}),
)
for name, offer in OFFERS:

    @contextmanager
    def with_offer(demo: Deployment, switches: dict[str, Any] = offer) -> Iterator[None]:
        """Change what the store answers."""
        with offered(demo, **switches):
            yield

    fault(STORES, name, probes=("mobile_store",), needs=NEEDS)(with_offer)
