"""Faults of Environment Configuration: values that are not production's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.containers import deployed
from tests.faults.environment_tools import FILE, VALUES, having
from tests.faults.functional import answered, bug
from tests.faults.harness import fault

SERVER = ("server",)
CONTAINERS = ("server", "containers")
WRONG: dict[str, dict[str, str]] = {
    "the mode is development": {"APP_ENV": "development"},
    "debugging is on": {"DEBUG": "True"},
    "every detail is logged": {"LOG_LEVEL": "debug"},
    "the node is of a test network": {"ETHEREUM_RPC_URL": "https://sepolia.infura.io/v3/5f0c8e2d7b1a4936"},
    "the node is an address of the office": {"ETHEREUM_RPC_URL": "https://192.168.7.20:8545"},
    "an API key is a placeholder": {"ETHERSCAN_API_KEY": "changeme"},
    "an API key is the documentation's": {"ETHERSCAN_API_KEY": "YourApiKeyToken"},
    "an API key is for tests": {"PAGER_API_KEY": "sk_test_4eC39HqLyjWDarjtT1zdp7dc"},
    "a key is empty": {"SMTP_HOST": ""},
    "the chain is another one": {"CHAIN_ID": "11155111"},
    "the public address has no TLS": {"PUBLIC_URL": "http://api.tokens.example"},
    "the public address is a container's name": {"PUBLIC_URL": "https://api:8443"},
    "the database is the one for tests": {"DATABASE_URL": "postgresql://a:Xw3kQpZr7LmB@db/tokens_test"},
    "the mail server is the tutorial's": {"SMTP_HOST": "mail.example.org"},
    "the port is out of range": {"SMTP_PORT": "587000"},
    "the signer's key lost a digit": {"PRIVATE_KEY": "0x" + "9f" * 31 + "a"},
    "a secret hides under a plain name": {"SMTP_USER": "AKIAQ3rZt0LxV8mB5nYcHs2pWdKe7u"},
}


def _wrong(name: str, values: dict[str, str]) -> None:
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with having(demo, **values):
            yield

    also = (FILE,) if name.startswith("an API key is the documentation's") else ()
    fault(VALUES, name, probes=("env_file",), also=also, needs=SERVER)(inject)


for _name, _values in WRONG.items():
    _wrong(_name, _values)


@fault(VALUES, "the contract's address is mistyped", probes=("env_file",), needs=SERVER)
@contextmanager
def mistyped_address(demo: Deployment) -> Iterator[None]:
    """Change the case of one letter, as a slip in one digit changes the checksum."""
    address = service.token_address(demo.world)
    at = next(number for number, letter in enumerate(address) if number > 1 and letter.isalpha())
    with having(demo, CONTRACT_ADDRESS=address[:at] + address[at].swapcase() + address[at + 1 :]):
        yield


@fault(VALUES, "a container runs in development", probes=("env_loaded",), also=(FILE,), needs=CONTAINERS)
@contextmanager
def container_in_development(demo: Deployment) -> Iterator[None]:
    """Override the mode where the service is declared."""
    with deployed(demo, environment={"APP_ENV": "development"}):
        yield


@fault(VALUES, "refusals show a stack trace", probes=("env_wire",))
@contextmanager
def debug_pages(demo: Deployment) -> Iterator[None]:
    """Take DEBUG=false for a text that is not empty, and so for true."""
    with bug(demo, debug_pages=True):
        yield


def _answering(demo: Deployment, environment: str) -> AbstractContextManager[None]:
    release = demo.world.release
    body = {"version": release.version, "commit": release.commit, "environment": environment}
    return answered(demo, "/version", 200, body)


@fault(VALUES, "it says that it is staging", probes=("env_wire",))
@contextmanager
def says_staging(demo: Deployment) -> Iterator[None]:
    """Deploy the build for another place."""
    with _answering(demo, "staging"):
        yield
