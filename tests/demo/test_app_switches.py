"""Every bug switch of the service: off it is right, on it is wrong in the way that its name says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import redis
from cryptography.hazmat.primitives import serialization

from pytest_deploycheck.demo import chain, valkey
from pytest_deploycheck.demo.app.accounts import ACCOUNTS
from pytest_deploycheck.demo.app.limiter import LOCKOUT_S, MAX_FAILURES
from pytest_deploycheck.demo.app.switches import KNOWN, flip
from pytest_deploycheck.demo.deployment import Deployment
from tests.demo.api import Api, burst, expired, forge
from tests.demo.web import eventually


@pytest.fixture
def api(served: Deployment) -> Api:
    """Return a client of the first instance."""
    return Api(served.world)


@pytest.fixture(scope="session")
def tokens(served: Deployment) -> dict[str, str]:
    """Return an access token of each account."""
    api = Api(served.world)
    return {one.username: api.token(one.username) for one in ACCOUNTS}


def metric(api: Api, name: str) -> float:
    """Return a metric without labels."""
    text = api.ask("/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def log_of(api: Api) -> str:
    """Return what the first instance has logged."""
    return api.world.path("logs", "app1.jsonl").read_text()


def test_token_checks_can_be_weakened(api: Api, tokens: dict[str, str]) -> None:
    """Unsigned, expired and badly signed tokens are 401, until the switch for each lets it in."""
    good, secret = tokens["test"], api.world.secret("jwt_secret").encode()
    for name, bad in {
        "accept_alg_none": forge(good, None, alg="NoNe"),
        "ignore_exp": expired(good, secret),
        "ignore_signature": good[:-6] + "AAAAAA",
    }.items():
        assert api.ask("/me", token=bad).status == 401, name
        with api.switched(**{name: True}):
            assert api.ask("/me", token=bad).status == 200, name
            assert api.ask("/me").status == 401, name
    with api.switched(bad_token_500=True):
        assert api.ask("/me", token="nonsense").status == 500
    assert api.ask("/me", token="nonsense").status == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"nbf": 2**31},
        {"exp": None},
        {"sub": "x"},
        {"jti": None},
    ],
)
def test_claims_are_checked(api: Api, tokens: dict[str, str], claims: dict[str, Any]) -> None:
    """A well signed token for another audience or issuer, not valid yet or without its claims is 401."""
    secret = api.world.secret("jwt_secret").encode()
    assert api.ask("/me", token=forge(tokens["test"], secret)).status == 200
    assert api.ask("/me", token=forge(tokens["test"], secret, **claims)).status == 401


def test_signatures_can_be_public_key(api: Api) -> None:
    """With RS256 the published key verifies tokens, and its PEM signs none unless the confusion is on."""
    assert api.ask("/.well-known/jwks.json").status == 404
    with api.switched(jwt_alg="RS256"):
        token = api.token()
        (key,) = api.ask("/.well-known/jwks.json").json["keys"]
        assert Api(api.world, "app2").ask("/me", token=token).status == 200
        public = jwt.PyJWK(key).key
        assert jwt.decode(token, public, algorithms=["RS256"], audience="token-api")["sub"] == "1"
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        confused = forge(token, pem)
        assert api.ask("/me", token=confused).status == 401
        with api.switched(hs_rs_confusion=True):
            assert api.ask("/me", token=confused).status == 200


def test_logins_can_tell_too_much_or_refuse_all(api: Api, tokens: dict[str, str]) -> None:
    """With enumeration an unknown user is told so; with refuse_all nobody gets in."""
    unknown = {"username": "nobody-at-all", "password": "wrong"}
    with api.switched(login_enumeration=True):
        assert api.ask("/auth/login", unknown).status == 404
        assert api.ask("/auth/login", {**unknown, "username": "test"}).status == 401
    with api.switched(refuse_all=True):
        form = {"username": "test", "password": api.password("test")}
        assert api.ask("/auth/login", form).status == 401
        assert api.ask("/me", token=tokens["test"]).status == 401


def test_sessions_can_live_on(api: Api) -> None:
    """Without rotation a refresh token works again; a logout that forgets ends nothing."""
    session = api.session()
    body = {"refresh_token": session["refresh_token"]}
    with api.switched(no_rotation=True):
        assert api.ask("/auth/refresh", body).json["refresh_token"] == session["refresh_token"]
        assert api.ask("/auth/refresh", body).status == 200
    with api.switched(logout_forgets=True):
        assert api.ask("/auth/logout", body, session["access_token"]).status == 204
        assert api.ask("/me", token=session["access_token"]).status == 200
        assert api.ask("/auth/refresh", body).status == 200


def test_authorization_can_be_lost(api: Api, tokens: dict[str, str]) -> None:
    """A route loses its guard, users see others' wallets, and everybody is an administrator."""
    with api.switched(unguarded=["/wallet", "/admin/users"]):
        assert api.ask("/wallet").status == api.ask("/admin/users").status == 200
        assert api.ask("/me").status == 401
    with api.switched(idor=True):
        assert api.ask("/wallets/2", token=tokens["test"]).json["id"] == 2
    with api.switched(admin_for_all=True):
        assert api.ask("/admin/users", token=tokens["test"]).status == 200


def test_wallets_can_lie(api: Api, tokens: dict[str, str]) -> None:
    """Old balances under a new block, one address for all, and quotes for any address."""
    api.order("/token/purchase", 3, tokens["test"])
    true = api.ask("/wallet", token=tokens["test"]).json
    with api.switched(stale_balance=True):
        stale = api.ask("/wallet", token=tokens["test"]).json
        assert stale["block_number"] >= true["block_number"]
        assert (stale["token_balance"], stale["native_balance_wei"]) != (
            true["token_balance"],
            true["native_balance_wei"],
        )
    with api.switched(shared_address=True):
        assert api.ask("/wallet", token=tokens["test_b"]).json["address"] == true["address"]
    with api.switched(accept_bad_address=True):
        body = {"address": "0x" + "0" * 40, "amount_wei": "9" * 30}
        assert api.ask("/wallets/1/withdrawal-quote", body, tokens["test"]).status == 200


def test_chain_can_be_another_or_an_old_answer(api: Api, served: Deployment) -> None:
    """The node's address can be overridden; cached answers stay while the node is away."""
    fork = chain.daemon(served.world, "fork", chain_id=5, accounts={})
    fork.start()
    fork.wait_ready()
    try:
        before = api.ask("/chain").json
        with api.switched(rpc_url=served.world.url("fork")):
            assert api.ask("/chain").status == 503
            assert api.ask("/version").status == 200
        with api.switched(rpc_url="http://127.0.0.1:9"):
            assert api.ask("/chain").status == 503
            assert api.ask("/health").json["components"]["rpc"]["status"] == "down"
            assert eventually(lambda: metric(api, "app_rpc_errors_total") > 0)
            with api.switched(chain_cached=True):
                time.sleep(1.1)
                cached = api.ask("/chain").json
                assert cached["block_number"] <= before["block_number"] + 3
                assert api.ask("/token").status == 200
    finally:
        fork.stop()
    assert eventually(lambda: api.ask("/health").status == 200)


def test_index_and_queue_can_stand_still(api: Api, tokens: dict[str, str]) -> None:
    """A paused indexer's block stays, a stuck queue keeps orders pending; both catch up afterwards."""
    with api.switched(indexer_paused=True):
        time.sleep(0.7)
        stood = api.ask("/chain").json["indexer_block"]
        api.order("/token/purchase", 1, tokens["test"])
        time.sleep(1.2)
        chain_now = api.ask("/chain").json
        assert (chain_now["indexer_block"], chain_now["queue_depth"]) == (stood, 1)
        assert metric(api, "app_queue_depth") == 1
    assert eventually(lambda: api.ask("/chain").json["queue_depth"] == 0, within_s=10)
    with api.switched(queue_stuck=True):
        api.order("/token/purchase", 1, tokens["test"])
        time.sleep(1.2)
        assert api.ask("/chain").json["queue_depth"] == 1
    assert eventually(lambda: api.ask("/chain").json["queue_depth"] == 0, within_s=10)


def test_reused_keys_can_end_in_an_error(api: Api, tokens: dict[str, str]) -> None:
    """A conflict that should be an answer becomes status 500."""
    key = f"conflict-{time.time_ns()}"
    assert api.order("/token/purchase", 1, tokens["test"], key).status == 201
    with api.switched(conflict_500=True):
        assert api.order("/token/purchase", 1, tokens["test"], key).status == 500
    assert api.order("/token/purchase", 1, tokens["test"], key).status == 200


def timed(ask: Callable[[], object]) -> float:
    """Return how many seconds a request takes."""
    started = time.monotonic()
    ask()
    return time.monotonic() - started


def test_routes_and_queries_can_be_slow_or_gone(api: Api, tokens: dict[str, str]) -> None:
    """A route waits, a route is 404, and the query behind every protected request takes its time."""
    with api.switched(slow_routes={"/wallets/{wallet_id}": 0.8}):
        assert timed(lambda: api.ask("/wallets/1", token=tokens["test"])) >= 0.8
    with api.switched(fast_404=["/token"]):
        assert api.ask("/token").status == 404
        assert api.ask("/token/quote").status == 200
    with api.switched(slow_query=True):
        assert timed(lambda: api.ask("/me", token=tokens["test"])) >= 0.3


def test_limits_can_be_off_spoofed_or_local(api: Api) -> None:
    """No limit, one that believes a header, and one for each instance let more than the policy through."""

    def refused(**headers: str) -> int:
        return burst([api] * 25, **headers).count(429)

    with api.switched(limiter_off=["/token/quote"]):
        assert refused() == 0
    assert refused() >= 3
    with api.switched(limiter_xff=True):
        assert refused(**{"X-Forwarded-For": "203.0.113.7"}) >= 3
        assert api.ask("/token/quote", headers={"X-Forwarded-For": "203.0.113.8"}).status == 200
    with api.switched(limiter_per_worker=True):
        two = Api(api.world, "app2")
        two.address = api.address
        assert burst([api, two] * 20).count(429) == 0
        assert burst([api, two] * 20).count(429) > 0


def test_accounts_lock_after_many_failures(api: Api) -> None:
    """After fifty wrong passwords even the right one is 429, unless the lockout is off."""
    wrong = {"username": "canary", "password": "wrong"}
    with api.switched(limiter_off=["/auth/login"]):
        store = redis.Redis.from_url(valkey.url(api.world))
        assert api.ask("/auth/login", wrong).status == 401
        assert store.get("failures:canary") == b"1"
        store.set("failures:canary", MAX_FAILURES - 1, ex=LOCKOUT_S)  # checking a password takes its time
        assert [api.ask("/auth/login", wrong).status for _ in range(2)] == [401, 429]
        right = {"username": "canary", "password": api.password("canary")}
        locked = api.ask("/auth/login", right)
        assert locked.status == 429
        assert 0 < int(locked.headers["retry-after"]) <= 60
        with api.switched(lockout_off=True):
            assert api.ask("/auth/login", right).status == 200
        assert api.ask("/auth/login", right).status == 200


@pytest.mark.parametrize(
    ("bug", "evil"),
    [
        ("reflect", "https://evil.example"),
        ("suffix", "https://evilapp.tokens.example"),
        ("star", "https://evil.example"),
        ("null", "null"),
        ("get_only", "https://evil.example"),
        ("prefix", "https://app.tokens.example.evil.example"),
        ("dot", "https://appxtokens.example"),
        ("scheme", "http://app.tokens.example"),
        ("port", "https://app.tokens.example:8443"),
        ("subdomain", "https://other.tokens.example"),
        ("credentials_star", "https://evil.example"),
    ],
)
def test_origins_can_be_allowed_wrongly(api: Api, bug: str, evil: str) -> None:
    """Each wrong policy allows an origin that the right one does not."""
    name = "access-control-allow-origin"
    assert name not in api.ask("/version", headers={"Origin": evil}).headers
    with api.switched(cors=bug):
        assert api.ask("/version", headers={"Origin": evil}).headers[name] in {evil, "*"}


def test_refusals_can_show_the_inside(api: Api) -> None:
    """With debugging, a refusal holds a stack trace; without, it does not."""
    assert "problems.py" not in api.ask("/nowhere").text
    with api.switched(debug_pages=True):
        assert "problems.py" in api.ask("/nowhere").text


def test_logs_can_hold_secrets(api: Api, tokens: dict[str, str]) -> None:
    """Bodies, tokens and the signer's key are in the log only after their switches."""
    key = api.world.secret("signer_key")
    form = {"username": "test", "password": "a-wrong-password-to-find"}
    api.ask("/auth/login", form)
    api.ask("/me", token=tokens["test_b"])
    before = log_of(api)
    assert all(word not in before for word in (form["password"], tokens["test_b"], key))
    with api.switched(log_bodies=True, log_tokens=True, log_key_at_start=True):
        api.ask("/auth/login", form)
        api.ask("/me", token=tokens["test_b"])
        assert eventually(lambda: key in log_of(api), within_s=5)
    after = log_of(api)
    assert form["password"] in after
    assert tokens["test_b"] in after
    # The other tests look for secrets in the same file.
    for name in ("app1", "app2"):
        os.truncate(api.world.path("logs", f"{name}.jsonl"), 0)


def test_metrics_can_freeze(api: Api) -> None:
    """Frozen metrics do not move; thawed they have counted on."""
    wanted = 'http_requests_total{method="GET",route="/version",status="200"} '

    def count() -> str:
        return next((line for line in api.ask("/metrics").text.splitlines() if line.startswith(wanted)), "")

    with api.switched(freeze_metrics=True):
        before = count()
        api.ask("/version")
        assert count() == before
    assert count() != before


def test_health_can_lie(api: Api) -> None:
    """Degraded with 200, old and cacheable, talkative, or blind to a dead node."""
    with api.switched(health_degraded_200=True):
        answer = api.ask("/health")
        assert (answer.status, answer.json["status"]) == (200, "degraded")
    with api.switched(health_stale=True):
        answer = api.ask("/health")
        assert int(answer.headers["age"]) >= 300
        assert "no-store" not in answer.headers["cache-control"]
    with api.switched(health_leaks=True):
        text = api.ask("/health").text
        assert "postgresql://" in text
        assert "Traceback" in text
    with api.switched(rpc_url="http://127.0.0.1:9"):
        assert api.ask("/health").status == 503
        with api.switched(health_shallow=True):
            assert api.ask("/health").status == 200
    assert eventually(lambda: api.ask("/health").json["status"] == "ok")


def test_process_can_burn_and_leak(api: Api, served: Deployment) -> None:
    """CPU time and memory grow while the switches are on, and memory is given back."""
    pid = served.service("app1").pid

    def cpu_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb() -> float:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    before_s, before_mb = cpu_s(), resident_mb()
    with api.switched(busy_loop=True, leak_mb=150):
        assert eventually(lambda: resident_mb() > before_mb + 140, within_s=10)
        assert eventually(lambda: cpu_s() > before_s + 1, within_s=20)
    assert eventually(lambda: resident_mb() < before_mb + 60, within_s=10)


def test_unknown_switches_are_refused(tmp_path: Path) -> None:
    """A misspelt switch is named with its nearest neighbour, and nothing is written."""
    with pytest.raises(ValueError, match="no switch is called 'ignore_expp'; did you mean ignore_exp"):
        flip(tmp_path / "switches.json", ignore_expp=True)
    assert not (tmp_path / "switches.json").exists()


def test_half_written_switches_change_nothing(api: Api) -> None:
    """A file that is not JSON leaves the switches as they were."""
    path = api.world.path("app", "switches.json")
    with api.switched(fast_404=["/token"]):
        kept = path.read_text()
        assert api.ask("/token").status == 404
        path.write_text("{")
        try:
            assert api.ask("/token").status == 404
            with pytest.raises(ValueError, match=r"switches\.json is not JSON"):
                flip(path, idor=True)
        finally:
            path.write_text(kept)
    assert api.ask("/token").status == 200


def test_every_switch_is_tested() -> None:
    """No switch exists without a test in this file, or in the one about error reports."""
    text = "".join(
        Path(__file__).with_name(name).read_text() for name in ("test_app_switches.py", "test_app_away.py")
    )
    untested = [name for name in KNOWN if f"{name}=" not in text and f'"{name}":' not in text]
    assert untested == []
