"""Faults of Environment Configuration: keys that services refuse, and origins that may call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.environment_tools import having, told
from tests.faults.functional import bug
from tests.faults.harness import fault
from tests.faults.tools import reloaded, switches_in

KEYS = "pre_deploy.environment.api_keys"
CORS = "pre_deploy.environment.cors"
STANDINS = ("server", "api_keys")
SERVER = ("server",)
WRONG_KEYS = {
    "Etherscan does not know the key, and says so with status 200": {"ETHERSCAN_API_KEY": "K" * 34},
    "Grafana does not know the token": {"GRAFANA_TOKEN": "glsa_0000000000000000000000000000"},
    "the pager does not know the key": {"PAGER_API_KEY": "u+0000000000000000000"},
    "the error tracker does not know the token": {"SENTRY_AUTH_TOKEN": "0" * 40},
    "a key is missing": {"ETHERSCAN_API_KEY": None},
    "a key is the documentation's placeholder": {"ETHERSCAN_API_KEY": "YourApiKeyToken"},
}


def _wrong_key(name: str, values: dict[str, str | None]) -> None:
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with having(demo, **values):
            yield

    needs = (*STANDINS, "bugsink") if "SENTRY_AUTH_TOKEN" in values else STANDINS
    fault(KEYS, name, probes=("api_keys",), needs=needs)(inject)


for _name, _values in WRONG_KEYS.items():
    _wrong_key(_name, _values)


@fault(KEYS, "the address is that of Etherscan's dead first version", probes=("api_keys",), needs=STANDINS)
@contextmanager
def first_version(demo: Deployment) -> Iterator[None]:
    """Ask where keys were accepted until 2025."""
    with told(demo, "/v2/api", "/api"):
        yield


@fault(
    KEYS,
    "the explorer is not to be asked at present",
    probes=("api_keys",),
    needs=STANDINS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def limited(demo: Deployment) -> Iterator[None]:
    """Reach the rate limit, which says nothing about the key."""
    with switches_in(demo.world.path("explorer", "switches.json"), limited=True):
        yield


BUGS = {
    "reflect": "any origin is reflected",
    "suffix": "an origin that ends like an allowed one is allowed",
    "prefix": "an origin that begins like an allowed one is allowed",
    "dot": "a dot in a pattern stands for anything",
    "scheme": "an origin without TLS is allowed",
    "port": "any port of an allowed host is allowed",
    "subdomain": "any subdomain is allowed",
    "null": "null is allowed",
    "star": "everybody is allowed",
    "credentials_star": "everybody is allowed, with credentials",
    "get_only": "preflights are right and requests reflect",
    "errors_only": "refusals reflect",
    "no_preflight": "preflights are answered 404",
    "no_vary": "answers do not vary",
    "double": "the application sends the permission twice",
    "off": "no page of ours may call",
}


def _bug(switch: str, name: str) -> None:
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with bug(demo, cors=switch):
            yield

    fault(CORS, name, probes=("cors",), needs=SERVER)(inject)


for _switch, _bug_name in BUGS.items():
    _bug(_switch, _bug_name)


@fault(CORS, "nginx adds a second permission", probes=("cors",), needs=SERVER)
@contextmanager
def nginx_too(demo: Deployment) -> Iterator[None]:
    """Let the edge reflect the origin beside the application's own answer."""
    anchor = "add_header X-Request-ID $request_id always;"
    config = demo.world.path("nginx", "nginx.conf")
    added = f"{anchor}\n        add_header Access-Control-Allow-Origin $http_origin always;"
    with reloaded(demo, "nginx", config, (anchor, added)):
        yield


CONFIGURED = {
    "the configured origin is a wildcard": "*",
    "the configured origins have a wildcard in them": "https://*.tokens.example",
    "the configured origins have a developer's": "https://app.tokens.example,http://localhost:3000",
    "the configured origins have one without TLS": "https://app.tokens.example,http://www.tokens.example",
    "the configured origins have one too many": "https://app.tokens.example,https://beta.tokens.example",
    "the configured origins end in a slash": "https://app.tokens.example/,https://www.tokens.example",
    "no origin is configured": "",
}


def _configured(name: str, value: str) -> None:
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with having(demo, CORS_ORIGINS=value):
            yield

    fault(CORS, name, probes=("cors",), needs=SERVER)(inject)


for _name, _value in CONFIGURED.items():
    _configured(_name, _value)
