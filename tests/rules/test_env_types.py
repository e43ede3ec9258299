"""Values of configuration keys: what each type accepts and refuses, and which type a key's name tells."""

from __future__ import annotations

import pytest

from pytest_deploycheck.probes.evm import checksum
from pytest_deploycheck.rules.env_names import guess, is_secret
from pytest_deploycheck.rules.env_types import Expected, judge
from pytest_deploycheck.rules.placeholders import placeholder

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
WANTS = Expected(
    chain_id=1,
    internal=("geth", "*.corp.example", "10.1.0.0/16"),
    addresses=(ADDRESS.lower(),),
    checksum=checksum,
)
GOOD = [
    ("url", "https://api.tokens.example/v1"),
    ("url", "wss://mainnet.infura.io/ws/v3/abc"),
    ("url", "http://geth:8545"),
    ("url", "http://10.1.7.3:8545"),
    ("url", "http://vault.corp.example"),
    ("service", "redis://:p%40ss@cache:6379/0"),
    ("database", "postgresql+asyncpg://u:p@db:5432/tokens?sslmode=require"),
    ("database", "host=db dbname=tokens user=app"),
    ("database", "postgresql://u:p@db/latest"),
    ("host", "smtp.tokens.example"),
    ("host", "[2001:db8::1]"),
    ("port", "443"),
    ("int 1..10", "10"),
    ("bool", "False"),
    ("debug", "False"),
    ("debug", "0"),
    ("mode", "Production"),
    ("level", "INFO"),
    ("level", "warn,tower_http=info"),
    ("chain", "0x1"),
    ("network", "mainnet"),
    ("address", ADDRESS),
    ("address", ADDRESS.lower()),
    ("hex32", "9f" * 32),
    ("signer", "-----BEGIN EC PRIVATE KEY-----\nx"),
    ("enum a|b", "b"),
    ("origins", "https://app.tokens.example, https://www.tokens.example"),
    ("origins", '["https://app.tokens.example"]'),
    ("email", "Token service <support@tokens.example>"),
    ("dbname", "tokens"),
    ("text", "anything at all"),
]
BAD = [
    ("url", "http://api.tokens.example", "without TLS"),
    ("url", "https://localhost:8443", "this machine"),
    ("url", "https://127.0.0.1", "loopback"),
    ("url", "https://192.168.1.4", "private"),
    ("url", "https://api:8443", "without a domain"),
    ("url", "https://sepolia.infura.io/v3/abc", "test network"),
    ("url", "api.tokens.example", "no address with a scheme"),
    ("url", "https://h:99999", "cannot be read"),
    ("service", "cache:6379", "no address with a scheme"),
    ("database", "postgresql://u:p@db/tokens_test", "for tests"),
    ("database", "host=db dbname=tokens-dev", "for tests"),
    ("host", "not a host", "no host name"),
    ("port", "0", "below"),
    ("int 1..10", "11", "above"),
    ("int", "many", "whole number"),
    ("bool", "maybe", "neither"),
    ("debug", "True", "debugging"),
    ("debug", "*", "debugging"),
    ("mode", "development", "is not"),
    ("mode", "prod,dev", "is not"),
    ("level", "DEBUG", "every detail"),
    ("level", "loud", "no log level"),
    ("chain", "11155111", "is not 1"),
    ("network", "sepolia", "test network"),
    ("address", "0x" + "0" * 40, "zero"),
    ("address", "0x" + ADDRESS[2:].swapcase(), "checksum"),
    ("address", "0x" + "ab" * 20, "no checksum"),
    ("address", ADDRESS[:-1], "40"),
    ("hex32", "9f" * 31, "64"),
    ("hex32", "00" * 32, "zero"),
    ("enum a|b", "c", "none of"),
    ("origins", "*", "wildcard"),
    ("origins", "https://*.tokens.example", "wildcard"),
    ("origins", "null", "wildcard"),
    ("origins", "http://app.tokens.example", "without TLS"),
    ("origins", "https://app.tokens.example/", "ends in /"),
    ("origins", "https://app.tokens.example/app", "path"),
    ("origins", "https://localhost:3000", "this machine"),
    ("email", "nobody", "mail address"),
    ("dbname", "tokens_staging", "for tests"),
    ("secret", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "test key"),
    ("text", " padded", "blank"),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_good_values(kind: str, value: str) -> None:
    """What correct services are configured with is accepted."""
    assert judge(kind, value, WANTS) == ""


@pytest.mark.parametrize(("kind", "value", "words"), BAD)
def test_bad_values(kind: str, value: str, words: str) -> None:
    """Each is refused for its own reason."""
    assert words in judge(kind, value, WANTS)


def test_unknown_types_are_named() -> None:
    """A mistyped type says which there are."""
    with pytest.raises(ValueError, match="unknown type 'secert'; there are: url"):
        judge("secert", "x", WANTS)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("DATABASE_URL", "database"),
        ("REDIS_URL", "service"),
        ("JWT_SECRET", "secret"),
        ("PRIVATE_KEY", "signer"),
        ("NODE_ENV", "mode"),
        ("DJANGO_DEBUG", "debug"),
        ("RUST_LOG", "level"),
        ("CHAIN_ID", "chain"),
        ("CORS_ALLOWED_ORIGINS", "origins"),
        ("TOKEN_CONTRACT_ADDRESS", "address"),
        ("SMTP_PORT", "port"),
        ("POSTGRES_DB", "dbname"),
        ("JWT_PUBLIC_KEY", "text"),
        ("JWT_EXPIRES_IN", "text"),
        ("AWS_ACCESS_KEY_ID", "text"),
        ("RELEASE_COMMIT", "text"),
    ],
)
def test_names_tell_types(key: str, kind: str) -> None:
    """Common names have the type that their values have."""
    assert guess(key) == kind


def test_secrets_by_name() -> None:
    """Keys that name a secret are secrets; public ones, lifetimes and ids are not."""
    assert all(map(is_secret, ("STRIPE_SECRET_KEY", "SMTP_PASSWORD", "API_KEY", "BOT_TOKEN")))
    assert not any(map(is_secret, ("TOKEN_TTL", "KEY_ID", "RECAPTCHA_SITE_KEY", "PUBLIC_URL", "TOKEN_NAME")))


@pytest.mark.parametrize(
    "value",
    [
        *("changeme", "CHANGE_ME", "your-api-key", "YourApiKeyToken", "sk_live_xxxx", "<token>", "{{ key }}"),
        *("user@example.com", "dummy", "TODO", "replace_me", "***", "postgresql://u:change_me@db/x"),
    ],
)
def test_placeholders(value: str) -> None:
    """What templates leave behind is recognised."""
    assert placeholder(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "production",
            "https://app.tokens.example",
            "a9Xxxk2mQ",
            "todo-service",
            "replica.tokens.example",
        ),
        *("Support <a@b.example>", "yourselves"),
    ],
)
def test_no_placeholders(value: str) -> None:
    """Values that only resemble one are none."""
    assert not placeholder(value)
