"""The product's own API: health, login, routes."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import Section


class HealthSection(Section):
    """`[health]`: where the API says how it is; components are those it must report as well."""

    path: str = "/health"
    version_path: str = "/version"
    components: list[str] = ["db", "redis", "rpc"]


class Account(Section):
    """A user of the product that exists for these checks."""

    username: str
    password: SecretRef


class AuthSection(Section):
    """`[auth]`: how to log in, and which operations are open. Operations are written `GET /path`.

    `login_path` is empty where nobody logs in with a password.  `password_hash_query`: a SELECT of one
    column, the stored hashes or their schemes; found by its usual names when empty.
    """

    login_path: str = "/auth/login"
    refresh_path: str = "/auth/refresh"
    logout_path: str = "/auth/logout"
    me_path: str = "/me"
    username_field: str = "username"
    alg: list[str] = ["HS256", "RS256", "ES256", "EdDSA"]
    jwt_secret: SecretRef | None = None
    expired_token: SecretRef | None = None
    required_claims: list[str] = ["iat", "exp", "iss", "aud"]
    allowed_claims: list[str] = []
    refresh_rotation: bool = True
    jwks_path: str = "/.well-known/jwks.json"
    test_account: Account | None = None
    test_account_b: Account | None = None
    canary_account: Account | None = None
    admin_account: Account | None = None
    public_ops: list[str] = []
    admin_ops: list[str] = []
    object_ops: list[str] = []
    declared_ops: list[str] = []
    password_hash_query: str = ""


class ApiSection(Section):
    """`[api]`: the product's own routes. `{id}` in a wallet path is filled with the wallet's id.

    `fields` maps our name for a value (see probes/fields.py) to the key that the product's answers have
    for it; the others name fields and headers of its requests. An empty path means: not in this product.

    `docs_path`: the page for people.  `docs_visibility`: for whom both are; "internal" ones answer nobody without a
    login.  `undocumented`: routes that are served and on purpose not documented.
    `admin_documented`: operations of administrators are meant to be in the public document.
    """

    openapi_path: str = "/openapi.json"
    docs_path: str = ""
    docs_visibility: Literal["public", "internal"] = "public"
    undocumented: list[str] = ["/metrics"]
    admin_documented: bool = False
    wallet_path: str = "/wallet"
    wallet_history_path: str = "/wallets/{id}/history"
    withdrawal_quote_path: str = "/wallets/{id}/withdrawal-quote"
    token_path: str = "/token"  # noqa: S105 - a route
    quote_path: str = "/token/quote"
    chain_path: str = "/chain"
    purchase_path: str = "/token/purchase"
    redeem_path: str = "/token/redeem"
    transactions_path: str = "/transactions"
    test_error_path: str = ""
    fields: dict[str, str] = {}
    withdrawal_address_field: str = "address"
    withdrawal_amount_field: str = "amount_wei"
    order_field: str = "tokens"
    idempotency_header: str = "Idempotency-Key"


class CorsSection(Section):
    """`[cors]`: origins that browsers may call from, and one path of each group of routes."""

    allowed_origins: list[str] | None = None
    route_groups: list[str] = []
