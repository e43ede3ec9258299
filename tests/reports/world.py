"""Facts as probes of a token service would give them, for records that look like real ones."""

from __future__ import annotations

from typing import Any

from pytest_deploycheck.plots import Bars, Histogram, Series, Span

LATENCY_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LATENCY_COUNTS = (14, 212, 3120, 9844, 15310, 6120, 1207, 161, 12, 0)

FACTS: dict[str, dict[str, Any]] = {
    "host": {
        "mem_total_bytes": 8_203_534_336,
        "mem_available_bytes": 3_118_284_800,
        "cpus_effective": 4.0,
        "steal_pct": 0.3,
        "filesystems": [
            {"mount": "/", "size_bytes": 84_280_803_328, "free_pct": 61.2, "inodes_free_pct": 88.0},
            {
                "mount": "/var/lib/docker",
                "size_bytes": 210_702_008_320,
                "free_pct": 43.9,
                "inodes_free_pct": 91.4,
            },
        ],
        "ntp_synced": True,
        "skew_s": 0.004,
        "reboot_required_since": None,
        "security_updates": [],
        "sshd": {"permitrootlogin": "no", "passwordauthentication": "no", "maxauthtries": 3},
    },
    "docker": {
        "server_version": "28.2.2",
        "compose_version": "2.39.1",
        "live_restore": True,
        "containers": [
            {"service": "api", "state": "running", "health": "healthy", "restarts": 0, "memory_ratio": 0.41},
            {
                "service": "postgres",
                "state": "running",
                "health": "healthy",
                "restarts": 0,
                "memory_ratio": 0.63,
            },
            {
                "service": "redis",
                "state": "running",
                "health": "healthy",
                "restarts": 0,
                "memory_ratio": 0.12,
            },
            {
                "service": "nginx",
                "state": "running",
                "health": "healthy",
                "restarts": 1,
                "memory_ratio": 0.05,
            },
        ],
        "memory": Bars(
            "Working set of each container's limit",
            "ratio",
            (("api", 0.41), ("postgres", 0.63), ("redis", 0.12), ("nginx", 0.05)),
            limit=0.8,
        ),
    },
    "dns": {
        "names": ["api.tokens.example.com", "tokens.example.com"],
        "resolvers_n": 3,
        "answers": [
            {"name": "api.tokens.example.com", "type": "A", "value": "203.0.113.20", "ttl_s": 300},
            {"name": "api.tokens.example.com", "type": "AAAA", "value": "2001:db8::20", "ttl_s": 300},
            {
                "name": "tokens.example.com",
                "type": "CAA",
                "value": '0 issue "letsencrypt.org"',
                "ttl_s": 3600,
            },
        ],
        "dnssec": {"signed": True, "validated": True, "algorithm": 13},
    },
    "tls": {
        "endpoints": [
            {
                "address": "203.0.113.20:443",
                "server_name": "api.tokens.example.com",
                "protocols": ["TLSv1.2", "TLSv1.3"],
                "ciphers_n": 6,
                "weak_ciphers": [],
                "certificate": {
                    "subject": "CN=api.tokens.example.com",
                    "issuer": "CN=R13, O=Let's Encrypt, C=US",
                    "serial": "04b1c0e5a4f0d41f5d7d0d1e6a3a20c4f0a1",
                    "not_before": "2026-10-02T06:11:09+00:00",
                    "not_after": "2026-12-31T06:11:08+00:00",
                    "key": "ECDSA P-256",
                    "names": ["api.tokens.example.com", "tokens.example.com"],
                    "scts_n": 2,
                    "chain_valid": True,
                },
                "hsts": "max-age=63072000; includeSubDomains",
            }
        ],
        "lifetime": Span(
            "Certificate of api.tokens.example.com",
            "2026-10-02T06:11:09+00:00",
            "2026-12-31T06:11:08+00:00",
            "2026-11-24T04:02:10+00:00",
        ),
    },
    "http": {
        "requests_n": 43,
        "endpoints": [
            {"path": "/health", "method": "GET", "status": 200, "p50_s": 0.021, "p95_s": 0.038},
            {"path": "/api/v1/tokens", "method": "GET", "status": 200, "p50_s": 0.072, "p95_s": 0.19},
            {"path": "/api/v1/wallets", "method": "GET", "status": 401, "p50_s": 0.018, "p95_s": 0.03},
            {"path": "/api/v1/purchases", "method": "GET", "status": 401, "p50_s": 0.019, "p95_s": 0.031},
            {"path": "/docs", "method": "GET", "status": 200, "p50_s": 0.034, "p95_s": 0.061},
        ],
        "headers": {
            "strict-transport-security": "max-age=63072000; includeSubDomains",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        },
        "response_times": Bars(
            "Response time per endpoint, 95th percentile of 20",
            "s",
            (
                ("GET /health", 0.038),
                ("GET /api/v1/tokens", 0.19),
                ("GET /api/v1/wallets", 0.03),
                ("GET /api/v1/purchases", 0.031),
                ("GET /docs", 0.061),
            ),
            limit=1.0,
        ),
    },
    "health": {
        "samples_n": 5,
        "statuses": [200, 200, 200, 200, 200],
        "p95_s": 0.041,
        "commit": "9f2c41e7d8a5b3c60f1e2d3c4b5a69788f7e6d5c",
        "dependencies": {"database": "ok", "redis": "ok", "ethereum": "ok"},
        "date_skew_s": 0.2,
    },
    "auth": {
        "wrong_login_statuses": [401, 401, 401],
        "token": {"algorithm": "RS256", "lifetime_s": 900, "issuer": "https://api.tokens.example.com"},
        "variants": [
            {"name": "no token", "status": 401},
            {"name": "expired", "status": 401},
            {"name": "alg none", "status": 401},
            {"name": "other key", "status": 401},
            {"name": "valid", "status": 200},
        ],
        "routes_examined_n": 18,
        "routes_open": [],
    },
    "burst": {
        "rows": [
            {"path": "/api/v1/auth/login", "limit_n": 5, "window_s": 60, "sent_n": 8, "refused_n": 3},
            {"path": "/api/v1/tokens", "limit_n": 100, "window_s": 60, "sent_n": 120, "refused_n": 0},
        ],
        "retry_after_seen": True,
    },
    "db": {
        "server_version": "17.2",
        "tls": True,
        "read_only_role": True,
        "hit_ratio": 0.9971,
        "connections": {"used_n": 23, "max_n": 100},
        "slow_statements": [
            {
                "statement": "SELECT * FROM purchases WHERE wallet_id = $1 ORDER BY created_at",
                "mean_s": 0.0031,
            },
            {"statement": "UPDATE wallets SET balance = balance + $1 WHERE id = $2", "mean_s": 0.0012},
        ],
        "replication_lag_s": 0.0,
        "migration_head": "0042_purchase_index",
        "tables": {"wallets": 18_442, "purchases": 120_317, "redemptions": 31_092},
    },
    "redis": {"version": "7.4.1", "auth_required": True, "anonymous_reply": "NOAUTH", "protected_mode": True},
    "rpc": {
        "chain_id": 1,
        "block": 24_113_904,
        "head_age_s": 7.1,
        "peers_n": 3,
        "heads": Series(
            "Lag behind the reference node",
            "blocks",
            tuple((float(t), float((t * 7919) % 3)) for t in range(0, 600, 12)),
            start="2026-11-24T03:52:00+00:00",
            limit=3.0,
        ),
    },
    "contract": {
        "address": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "code_size_bytes": 8_214,
        "code_sha256": "0c5e11ddc2a0f7dcb8be6c3e1d9b2a44b8a1a9a2b0ecf0f3e8f8a2f37e5b1d09",
        "owner": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "paused": False,
        "total_supply_wei": 10**24,
    },
    "prom": {
        "version": "3.1.0",
        "targets": [
            {"job": "api", "up_n": 2, "scrapes_ok_ratio": 1.0, "newest_age_s": 9.2},
            {"job": "postgres", "up_n": 1, "scrapes_ok_ratio": 1.0, "newest_age_s": 4.0},
            {"job": "node", "up_n": 1, "scrapes_ok_ratio": 0.998, "newest_age_s": 12.7},
        ],
        "rules_n": 31,
        "rules_without_series": [],
        "firing": [],
        "retention_d": 30,
    },
    "alertmanager": {
        "version": "0.27.0",
        "receivers": ["pager", "mail"],
        "silences": [],
        "inhibited_n": 0,
        "routes": {"critical": "pager", "warning": "mail"},
    },
    "load": {
        "requests_n": 36_000,
        "failures_n": 41,
        "duration_s": 900.0,
        "rps_mean": 40.0,
        "p95_s": 0.41,
        "latency": Histogram(
            "Response times under load",
            "s",
            tuple(zip(LATENCY_EDGES, LATENCY_COUNTS, strict=True)),
            limit=1.0,
        ),
    },
    "backup": {
        "tool": "restic 0.18.0",
        "snapshots_n": 34,
        "newest": {
            "id": "c3b0e8a1",
            "at": "2026-11-22T01:00:09+00:00",
            "age_s": 183_721,
            "size_bytes": 4_118_301_184,
        },
        "repositories": [
            {"kind": "local", "reachable": True, "checked_at": "2026-11-23T02:00:00+00:00"},
            {"kind": "s3", "reachable": True, "checked_at": "2026-11-23T02:00:00+00:00"},
        ],
        "ages": Series(
            "Age of the newest snapshot",
            "h",
            tuple(
                (day * 86400.0, age) for day, age in enumerate((1.0, 1.1, 1.0, 25.0, 1.0, 1.2, 27.0, 51.0))
            ),
            start="2026-11-17T02:00:00+00:00",
            limit=26.0,
        ),
    },
    "logs": {
        "services_n": 4,
        "lines_examined_n": 20_000,
        "secrets_found_n": 0,
        "newest_age_s": 3.1,
        "sample": '10.0.3.7 - - [24/Nov/2026:04:01:58 +0000] "GET /health HTTP/2.0" 200 61\n'
        '10.0.3.9 - - [24/Nov/2026:04:01:59 +0000] "POST /api/v1/auth/login HTTP/2.0" 401 38',
    },
    "repo": {
        "head": "9f2c41e7d8a5b3c60f1e2d3c4b5a69788f7e6d5c",
        "remote_head": "9f2c41e7d8a5b3c60f1e2d3c4b5a69788f7e6d5c",
        "dirty": [],
        "ahead_n": 0,
        "checks": {"unit": "success", "integration": "success", "contracts": "success"},
    },
    "reports": {
        "junit": {"tests_n": 1_284, "failures_n": 0, "errors_n": 0, "skipped_n": 3},
        "sarif": [{"tool": "semgrep", "results_n": 2, "blocking_n": 0, "files_n": 412}],
        "images": [{"service": "api", "digest": "sha256:" + "7c" * 32, "critical_n": 0, "high_n": 1}],
    },
    "env": {
        "keys_n": 47,
        "placeholders": [],
        "mode": "0600",
        "strength": {"DB_PASSWORD": 142.1, "REDIS_PASSWORD": 128.0, "JWT_SECRET": 256.0},
        "same_secret_groups": [],
    },
    "evidence": {
        "records_n": 14,
        "signatures": [
            {"item": "go_live.communication.support", "principal": "maria@example.com", "state": "ok"},
            {"item": "sign_off.technical.devops", "principal": "jon@example.com", "state": "ok"},
        ],
        "duplicates": [],
    },
    "docs": {
        "files_n": 11,
        "links_examined_n": 86,
        "links_broken": [],
        "runbooks": ["deploy", "restore", "rotate"],
    },
}

PROBES: dict[str, tuple[str, ...]] = {
    "pre_deploy.infrastructure": ("host", "docker"),
    "pre_deploy.environment": ("env",),
    "pre_deploy.security": ("env", "tls"),
    "deploy.code": ("repo", "reports"),
    "deploy.database": ("db",),
    "deploy.contract": ("rpc", "contract"),
    "deploy.services": ("docker", "health"),
    "post_deploy.functional": ("health", "auth"),
    "post_deploy.performance": ("http", "prom"),
    "post_deploy.security": ("http", "auth"),
    "post_deploy.monitoring": ("prom",),
    "operations.documentation": ("docs",),
    "operations.backup": ("backup",),
    "operations.maintenance": ("docs", "alertmanager"),
    "go_live.final": ("prom", "alertmanager"),
    "go_live.communication": ("evidence",),
    "go_live.mobile": ("http",),
    "rollback.triggers": ("prom", "db"),
    "rollback.procedure": ("evidence",),
    "pre_deploy.infrastructure.dns": ("dns",),
    "pre_deploy.infrastructure.backup_storage": ("backup",),
    "post_deploy.performance.load": ("load",),
    "post_deploy.security.cert": ("tls",),
    "post_deploy.security.rate_limit": ("burst",),
    "post_deploy.security.logs": ("logs",),
    "post_deploy.monitoring.logs": ("logs",),
    "post_deploy.monitoring.grafana": ("grafana",),
    "post_deploy.monitoring.uptime": ("uptime",),
    "pre_deploy.security.redis_auth": ("redis",),
}

COMPARISONS: dict[str, tuple[tuple[str, str], ...]] = {
    "host": (
        ("host_facts.mem_total_bytes >= limits.mem_min_bytes", "8203534336 >= 3865470566"),
        ("host_facts.cpus_effective >= limits.cpus_min", "4.0 >= 2"),
    ),
    "docker": (("docker_facts.server_version >= limits.engine_min", "'28.2.2' >= '25.0'"),),
    "dns": (("dns_facts.resolvers_n == len(agreeing)", "3 == 3"),),
    "env": (("env_facts.placeholders == []", "[] == []"), ("bits >= limits.secret_bits_min", "142.1 >= 80")),
    "tls": (("remaining >= limits.cert_remaining_min", "0.413 >= 0.25"), ("weak_ciphers == []", "[] == []")),
    "repo": (("repo_facts.head == repo_facts.remote_head", "'9f2c41e7d8a5' == '9f2c41e7d8a5'"),),
    "reports": (("junit.failures_n + junit.errors_n == 0", "0 + 0 == 0"), ("junit.tests_n > 0", "1284 > 0")),
    "db": (("db_facts.hit_ratio >= limits.db_hit_ratio_min", "0.9971 >= 0.99"),),
    "rpc": (("rpc_facts.head_age_s <= limits.rpc_head_age_max_s", "7.1 <= 30"),),
    "contract": (("contract_facts.code_sha256 == expected", "'0c5e11ddc2a0…' == '0c5e11ddc2a0…'"),),
    "health": (("set(health_facts.statuses) == {200}", "{200} == {200}"), ("p95_s <= 0.5", "0.041 <= 0.5")),
    "auth": (("valid.status == 200", "200 == 200"), ("refused == {401, 403} & refused", "{401} == {401}")),
    "http": (("slow == []", "[] == []"), ("share_ok >= limits.latency_share_ok", "1.0 >= 0.9")),
    "prom": (("up_ratio >= limits.prom_up_min", "0.998 >= 0.95"), ("firing == []", "[] == []")),
    "alertmanager": (("receivers['critical'] in reachable", "'pager' in {'mail', 'pager'}"),),
    "load": (("p95_s <= limits.load_p95_s", "0.41 <= 1.0"), ("fail_ratio <= 0.01", "0.0011 <= 0.01")),
    "backup": (
        ("backup_facts.snapshots_n >= 7", "34 >= 7"),
        ("all(r.reachable for r in repositories)", "True"),
    ),
    "logs": (("logs_facts.secrets_found_n == 0", "0 == 0"), ("lines_examined_n > 0", "20000 > 0")),
    "evidence": (("record.signature == 'ok'", "'ok' == 'ok'"),),
    "docs": (("docs_facts.links_broken == []", "[] == []"), ("links_examined_n > 0", "86 > 0")),
    "redis": (("redis_facts.anonymous_reply == 'NOAUTH'", "'NOAUTH' == 'NOAUTH'"),),
}
