"""Faults of Smart Contract Deployment: the contract's address in the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo import testnet, web
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, owner_address, record, token_address
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.containers import deployed
from tests.faults.environment_tools import having, told
from tests.faults.functional import answered
from tests.faults.harness import fault
from tests.faults.tools import edited

ADDRESS = "deploy.contract.address"
PROBES = ("contract_address",)
CONTAINERS = ("server", "containers", "web")
OLD = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@fault(ADDRESS, "the file has the old address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def old_in_file(demo: Deployment) -> Iterator[None]:
    """Deploy the contract anew and forget the file."""
    with having(demo, CONTRACT_ADDRESS=OLD):
        yield


@fault(ADDRESS, "the file has the owner's address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def owner_in_file(demo: Deployment) -> Iterator[None]:
    """Copy the line below: there is code at that address as well."""
    with having(demo, CONTRACT_ADDRESS=owner_address(demo.world)):
        yield


@fault(ADDRESS, "a digit is mistyped in lower case", probes=PROBES, needs=CONTAINERS)
@contextmanager
def mistyped(demo: Deployment) -> Iterator[None]:
    """Write the address without a checksum that could tell."""
    lower = token_address(demo.world).lower()
    with having(demo, CONTRACT_ADDRESS=lower[:-1] + ("0" if lower[-1] != "0" else "1")):
        yield


@fault(ADDRESS, "the file has no address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def none_in_file(demo: Deployment) -> Iterator[None]:
    """Leave the key without a value."""
    with having(demo, CONTRACT_ADDRESS=""):
        yield


@fault(ADDRESS, "the worker has the old address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def old_in_worker(demo: Deployment) -> Iterator[None]:
    """Leave an old override in the worker's declaration."""
    with deployed(demo, environment={"CONTRACT_ADDRESS": OLD}):
        yield


@fault(ADDRESS, "the record of the deployment is old", probes=PROBES, needs=CONTAINERS)
@contextmanager
def old_record(demo: Deployment) -> Iterator[None]:
    """Keep the record of the deployment before."""
    with edited(record(demo.world), (token_address(demo.world), OLD)):
        yield


@fault(ADDRESS, "the API tells the old address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def old_in_api(demo: Deployment) -> Iterator[None]:
    """Let an instance that was not restarted answer."""
    with answered(demo, "/config", 200, {"chain_id": CHAIN_ID, "contract_address": OLD}):
        yield


@fault(ADDRESS, "the web application was built with the old address", probes=PROBES, needs=CONTAINERS)
@contextmanager
def old_in_bundle(demo: Deployment) -> Iterator[None]:
    """Deploy the contract anew and build nothing."""
    with edited(web.script(demo.world), (token_address(demo.world), OLD)):
        yield


@fault(
    ADDRESS,
    "the web application has the test network's address as well",
    probes=PROBES,
    needs=(*CONTAINERS, "testnet"),
)
@contextmanager
def testnet_in_bundle(demo: Deployment) -> Iterator[None]:
    """Build with a switch between networks that is still there."""
    address = token_address(demo.world)
    other = testnet.address(demo.world)
    with edited(web.script(demo.world), (f'"{address}"', f'location.search?"{other}":"{address}"')):
        yield


@fault(ADDRESS, "the release's address is mistyped", probes=PROBES, needs=CONTAINERS)
@contextmanager
def mistyped_release(demo: Deployment) -> Iterator[None]:
    """Change the case of one letter in the target file."""
    address = token_address(demo.world)
    at = next(number for number, letter in enumerate(address) if number > 1 and letter.isalpha())
    wrong = address[:at] + address[at].swapcase() + address[at + 1 :]
    with told(demo, f'[contract]\naddress = "{address}"', f'[contract]\naddress = "{wrong}"'):
        yield
