"""The token service, healthy: what each route answers, and that it agrees with the chain and the database."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import jsonschema
import psycopg
import pytest

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.app.accounts import ACCOUNTS, account
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.ether.keys import derive_address, is_checksum_address
from pytest_deploycheck.demo.ether.rpc import Rpc
from tests.demo.api import Api, burst
from tests.demo.web import eventually

PROBLEM = "application/problem+json"


@pytest.fixture
def api(served: Deployment) -> Api:
    """Return a client of the first instance."""
    return Api(served.world)


@pytest.fixture(scope="session")
def tokens(served: Deployment) -> dict[str, str]:
    """Return an access token of each account."""
    api = Api(served.world)
    return {one.username: api.token(one.username) for one in ACCOUNTS}


def query(api: Api, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
    """Read from the database as its owner."""
    with psycopg.connect(postgres.dsn(api.world, "token_owner")) as connection:
        return connection.execute(statement, values).fetchall()


def test_health_names_every_component(api: Api) -> None:
    """All components are ok, the release is the deployed one, and nobody may store the answer."""
    answer = api.ask("/health?nonce=1")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    assert {name: one["status"] for name, one in answer.json["components"].items()} == dict.fromkeys(
        ("db", "redis", "rpc", "queue"), "ok"
    )
    release = api.world.release
    assert (answer.json["version"], answer.json["commit"]) == (release.version, release.commit)
    age = datetime.now(UTC) - datetime.fromisoformat(answer.json["timestamp"])
    assert abs(age.total_seconds()) < 10
    assert answer.headers["cache-control"] == "no-store"
    assert api.ask("/health/live").json == {"status": "ok"}
    told = api.ask("/version").json
    assert told == {"version": release.version, "commit": release.commit, "environment": "production"}


def test_instances_name_themselves(served: Deployment) -> None:
    """Each instance names itself, and answers with problem details for what is not there."""
    world = served.world
    seen = {Api(world, name).ask("/version").headers["instance"] for name in ("app1", "app2")}
    assert seen == {"app1", "app2"}
    answer = Api(world).ask("/nothing-here")
    assert (answer.status, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.json["request_id"]


def test_session_lifecycle(api: Api) -> None:
    """Login, who am I, refresh that kills the old token, logout that kills both."""
    first = api.session()
    me = api.ask("/me", token=first["access_token"])
    assert me.json == {"id": account("test").id, "username": "test", "role": "user"}
    second = api.ask("/auth/refresh", {"refresh_token": first["refresh_token"]}).json
    assert second["access_token"] != first["access_token"]
    assert api.ask("/auth/refresh", {"refresh_token": first["refresh_token"]}).status == 401
    body = {"refresh_token": second["refresh_token"]}
    assert api.ask("/auth/logout", body, second["access_token"]).status == 204
    assert api.ask("/me", token=second["access_token"]).status == 401
    assert api.ask("/auth/refresh", body).status == 401


def test_wrong_credentials_look_alike(api: Api) -> None:
    """A wrong password and an unknown user get the same answer but for the request's id."""
    wrong = api.ask("/auth/login", {"username": "canary", "password": "wrong"})
    unknown = api.ask("/auth/login", {"username": "nobody-at-all", "password": "wrong"})
    assert wrong.status == unknown.status == 401
    assert wrong.headers["content-type"] == PROBLEM
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_wallet_is_the_chains(api: Api, tokens: dict[str, str]) -> None:
    """Balances are exactly those of the chain at the block named, at an address of the user's own."""
    order = api.order("/token/purchase", 4, tokens["test"])
    assert order.status == 201, order.text
    wallet = api.ask("/wallet", token=tokens["test"]).json
    assert is_checksum_address(wallet["address"])
    assert wallet["address"] == derive_address(api.world.secret("signer_key"), account("test").id)
    rpc, at = Rpc(api.world.url("rpc")), hex(wallet["block_number"])
    balance_of = abi.call("balanceOf(address)", wallet["address"])
    held, native = rpc.batch(
        [
            ("eth_call", {"to": deploy.token_address(api.world), "data": balance_of}, at),
            ("eth_getBalance", wallet["address"], at),
        ]
    )
    assert (int(wallet["token_balance"]), int(wallet["native_balance_wei"])) == (
        abi.uint(held),
        int(native, 16),
    )
    assert wallet["chain_id"] == int(rpc.call("eth_chainId"), 16)
    assert api.ask("/wallet", token=tokens["test_b"]).json["address"] != wallet["address"]


def test_orders_reach_chain_and_database(api: Api, tokens: dict[str, str]) -> None:
    """A purchase and a redemption are confirmed, and row, event and history say the same."""
    bought = api.order("/token/purchase", 6, tokens["test_b"]).json
    sold = api.order("/token/redeem", 2, tokens["test_b"]).json
    hashes = {bought["tx_hash"], sold["tx_hash"]}

    def settled() -> bool:
        listed = api.ask("/transactions", token=tokens["test_b"]).json["transactions"]
        return {one["tx_hash"] for one in listed if one["status"] == "confirmed"} >= hashes

    assert eventually(settled, within_s=10)
    wallet = api.ask("/wallet", token=tokens["test_b"]).json
    history = api.ask(f"/wallets/{wallet['id']}/history", token=tokens["test_b"]).json
    events = {one["tx_hash"]: one for one in history["events"]}
    assert (events[bought["tx_hash"]]["kind"], events[bought["tx_hash"]]["tokens"]) == ("purchase", "6")
    assert events[sold["tx_hash"]]["wei"] == sold["cost_wei"]
    rows = query(
        api,
        "SELECT p.tokens, e.tokens, e.address FROM purchases p JOIN chain_events e USING (tx_hash)"
        " WHERE p.tx_hash = %s",
        bought["tx_hash"],
    )
    assert rows == [(6, 6, wallet["address"])]


def test_idempotency_key_orders_once(api: Api, tokens: dict[str, str]) -> None:
    """The same key gives the same order, even at one moment on both instances; another order is refused."""
    other = Api(api.world, "app2")
    key = f"once-{time.time_ns()}"
    with ThreadPoolExecutor(4) as pool:
        tries = [
            pool.submit(one.order, "/token/purchase", 1, tokens["test"], key)
            for one in (api, other, api, other)
        ]
        answers = [one.result() for one in tries]
    assert sorted(one.status for one in answers) == [200, 200, 200, 201]
    assert len({one.json["id"] for one in answers}) == 1
    assert api.order("/token/purchase", 2, tokens["test"], key).status == 409
    assert api.order("/token/purchase", 1, tokens["test_b"], key).status == 409
    assert query(api, "SELECT count(*) FROM purchases WHERE idempotency_key = %s", key) == [(1,)]
    assert api.ask("/token/purchase", {"tokens": 1}, tokens["test"]).status == 422


def test_simultaneous_orders_of_a_wallet_all_succeed(api: Api, tokens: dict[str, str]) -> None:
    """Orders of one wallet at once on both instances do not take each other's nonce."""
    apis = (api, Api(api.world, "app2")) * 3
    with ThreadPoolExecutor(len(apis)) as pool:
        answers = list(pool.map(lambda one: one.order("/token/purchase", 1, tokens["test"]), apis))
    assert [one.status for one in answers] == [201] * len(apis)
    assert len({one.json["tx_hash"] for one in answers}) == len(apis)


def test_poor_wallets_are_topped_up(api: Api, tokens: dict[str, str]) -> None:
    """A wallet without ether for the fee gets some from the service's account, and the order goes through."""
    rpc, signer = Rpc(api.world.url("rpc")), api.world.secret("signer_key")
    wallet = derive_address(signer, account("canary").id)
    rpc.call("anvil_setBalance", wallet, "0x1")
    assert api.order("/token/purchase", 1, tokens["canary"]).status == 201
    assert int(rpc.call("eth_getBalance", wallet, "latest"), 16) > 10**17


def test_impossible_orders_are_refused(api: Api, tokens: dict[str, str]) -> None:
    """Redeeming more than one has is 409 with the contract's reason; a senseless number is 422."""
    answer = api.order("/token/redeem", 999_999, tokens["canary"])
    assert (answer.status, answer.headers["content-type"]) == (409, PROBLEM)
    assert "insufficient token balance" in answer.json["detail"]
    assert api.order("/token/redeem", 0, tokens["canary"]).status == 422


def test_withdrawal_quotes_check_everything(api: Api, tokens: dict[str, str]) -> None:
    """A good address gets a price; a bad checksum, the zero address and too much money are refused."""
    target, path = derive_address(api.world.secret("signer_key"), 2), "/wallets/1/withdrawal-quote"

    def ask(address: str, amount: int) -> int:
        return api.ask(path, {"address": address, "amount_wei": str(amount)}, tokens["test"]).status

    quote = api.ask(path, {"address": target, "amount_wei": "5"}, tokens["test"]).json
    assert int(quote["total_wei"]) == 5 + int(quote["fee_wei"])
    bad = target[:2] + target[2:].swapcase()
    statuses = [ask(bad, 5), ask("0x" + "0" * 40, 5), ask(target, 10**24), ask("nonsense", 5)]
    assert statuses == [422, 422, 422, 422]


def test_wallets_of_others_do_not_exist(api: Api, tokens: dict[str, str]) -> None:
    """Another user's wallet is 404, and so is one that nobody has."""
    for path in ("/wallets/2", "/wallets/2/history", "/wallets/999"):
        assert api.ask(path, token=tokens["test"]).status == 404
    assert api.ask("/wallets/1", token=tokens["test"]).status == 200


def test_admin_routes_are_for_administrators(api: Api, tokens: dict[str, str]) -> None:
    """The list of users is 401 for nobody, 403 for a user, and complete for the administrator."""
    assert api.ask("/admin/users").status == 401
    assert api.ask("/admin/users", token=tokens["test"]).status == 403
    users = api.ask("/admin/users", token=tokens["admin"]).json["users"]
    assert {one["username"] for one in users} >= {one.username for one in ACCOUNTS}
    assert "password" not in json.dumps(users)


def test_authentication_comes_before_validation(api: Api) -> None:
    """A protected operation refuses a stranger with 401, whatever the body is."""
    for body in ({"tokens": 1}, {"nonsense": True}, "not json {", ""):
        answer = api.ask("/token/purchase", body)
        assert answer.status == 401, body
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_token_and_quote_are_the_contracts(api: Api) -> None:
    """Price, supply and address are the contract's at the block named; a quote multiplies the price."""
    shown = api.ask("/token").json
    rpc, at = Rpc(api.world.url("rpc")), hex(shown["block_number"])
    call = {"to": shown["address"]}
    supply, price = rpc.batch(
        [("eth_call", {**call, "data": abi.call(f"{name}()")}, at) for name in ("totalSupply", "price")]
    )
    assert (int(shown["total_supply"]), int(shown["price_wei"])) == (abi.uint(supply), abi.uint(price))
    quote = api.ask("/token/quote?tokens=7").json
    assert int(quote["cost_wei"]) == 7 * abi.uint(price)
    assert api.ask("/token/quote?tokens=-1").status == 422
    chain = api.ask("/chain").json
    assert chain["contract_address"] == shown["address"] == deploy.token_address(api.world)
    assert abs(chain["head_at"] - time.time()) < 10
    assert chain["indexer_block"] >= chain["block_number"] - 12


def test_openapi_is_true(api: Api, tokens: dict[str, str]) -> None:
    """The document names release and edge, says which routes need a token, and answers match its schemas."""
    document = api.ask("/openapi.json").json
    assert document["info"]["version"] == api.world.release.version
    assert document["servers"] == [{"url": api.world.url("edge")}]
    assert not {"/metrics", "/debug/error", "/docs"} & document["paths"].keys()
    ids = {"{wallet_id}": "1"}
    for path, operations in document["paths"].items():
        operation = operations.get("get")
        if operation is None or path.startswith("/admin"):
            continue
        real = path
        for name, value in ids.items():
            real = real.replace(name, value)
        anonymous = api.ask(real)
        assert (anonymous.status == 401) == bool(operation.get("security")), path
        answer = api.ask(real, token=tokens["test"])
        assert answer.status == 200, path
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json, {**schema, "components": document["components"]})
    page = api.ask("/docs")
    assert "<h1>Token service" in page.text
    assert "/token/redeem" in page.text


def test_metrics_count_by_route_template(api: Api, tokens: dict[str, str]) -> None:
    """Requests are counted under the route's template, and the chain's gauges follow the chain."""

    def count() -> float:
        wanted = 'http_requests_total{method="GET",route="/wallets/{wallet_id}",status="200"}'
        lines = dict(line.rpartition(" ")[::2] for line in api.ask("/metrics").text.splitlines())
        return float(lines.get(wanted, 0))

    before = count()
    api.ask("/wallets/1", token=tokens["test"])
    assert count() == before + 1
    text = api.ask("/metrics").text
    for name in (
        "app_chain_head_block",
        "app_indexer_block",
        "app_db_pool_size",
        "process_resident_memory_bytes",
    ):
        assert any(line.startswith(f"{name} ") for line in text.splitlines()), name
    release = api.world.release
    assert f'app_build_info{{commit="{release.commit}",version="{release.version}"}} 1.0' in text


def test_log_lines_are_structured(api: Api, tokens: dict[str, str]) -> None:
    """Each request leaves one JSON line with its id, route and user, and no secret."""
    answer = api.ask("/me", token=tokens["test"], headers={"X-Request-ID": "test-of-the-log"})
    assert answer.status == 200
    log = api.world.path("logs", "app1.jsonl")

    def found() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [one for one in lines if one.get("request_id") == "test-of-the-log"]

    (line,) = eventually(found, within_s=5)  # written after the answer was sent
    text = log.read_text()
    assert (line["event"], line["route"], line["status"], line["user"]) == ("request", "/me", 200, "test")
    assert line["service"] == "app1"
    assert line["duration_ms"] > 0
    assert tokens["test"] not in text
    assert all(api.password(one.username) not in text for one in ACCOUNTS)


def test_listed_origins_alone_are_allowed(api: Api) -> None:
    """A listed origin is echoed on preflight, answers and errors; every look-alike gets no permission."""
    good = "https://app.tokens.example"
    for path in ("/version", "/me", "/nothing-here"):
        headers = api.ask(path, headers={"Origin": good}).headers
        assert (headers["access-control-allow-origin"], headers["vary"]) == (good, "Origin")
    for evil in (
        "https://evil.example",
        good + ".evil.example",
        "http://app.tokens.example",
        "null",
        good + ":8443",
    ):
        assert "access-control-allow-origin" not in api.ask("/version", headers={"Origin": evil}).headers


def test_quotes_are_limited_for_each_client(api: Api) -> None:
    """Twenty quotes pass, the next is 429 with when to come back, and other clients are not touched."""
    statuses = burst([api] * 24)
    assert 20 <= statuses.count(200) <= 22
    refused = api.ask("/token/quote")
    assert refused.status == 429
    assert refused.headers["content-type"] == PROBLEM
    assert refused.headers["ratelimit-policy"] == '"client";q=20;w=2'
    assert Api(api.world, "app2").ask("/token/quote").status == 200
    spoofed = api.ask("/token/quote", headers={"X-Forwarded-For": "203.0.113.9"})
    assert spoofed.status == 429
    time.sleep(int(refused.headers["retry-after"]))
    assert api.ask("/token/quote").status == 200


def test_instances_share_the_limit(served: Deployment) -> None:
    """One client's requests to both instances are counted together."""
    one, two = Api(served.world, "app1"), Api(served.world, "app2")
    two.address = one.address
    assert 20 <= burst([one, two] * 12).count(200) <= 22
