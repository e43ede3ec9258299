"""Caddy at the edge of the reference deployment, in the place of nginx."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.world import World

CONFIG = """
{
    admin off
    auto_https off
    log {
        output file @logs@/caddy.log
    }
}
(guarded) {
    bind 127.0.0.1 ::1
    header {
        -Server
        Strict-Transport-Security "max-age=31536000; includeSubDomains"
        X-Content-Type-Options nosniff
        Content-Security-Policy "default-src 'none'; frame-ancestors 'none'"
        X-Frame-Options DENY
        Referrer-Policy no-referrer
        Permissions-Policy "camera=(), geolocation=(), microphone=(), payment=()"
        Cross-Origin-Opener-Policy same-origin
        Cross-Origin-Embedder-Policy require-corp
        Cross-Origin-Resource-Policy same-origin
        X-Permitted-Cross-Domain-Policies none
        ?Cache-Control no-store
        defer
    }
    handle_errors {
        header Content-Type application/problem+json
        respond `{"type":"about:blank","title":"{err.status_text}","status":{err.status_code}}` {err.status_code}
    }
}
@sites@ {
    import guarded
    tls @cert@ @key@ {
        protocols tls1.2 tls1.3
        curves x25519 secp256r1 secp384r1
    }
    log {
        output file @logs@/nginx-access.jsonl
        format json
    }
    @metrics path /metrics /metrics/*
    handle @metrics {
        error 404
    }
    handle /assets/* {
        root * @www@
        file_server
    }
    handle {
        reverse_proxy 127.0.0.1:@app1@ 127.0.0.1:@app2@ {
            lb_policy round_robin
            lb_try_duration 2s
            fail_duration 1s
            header_up Host {http.request.hostport}
            header_up X-Forwarded-For {http.request.remote.host}
            header_up X-Real-IP {http.request.remote.host}
            header_up -Forwarded
            header_up X-Request-ID {http.request.uuid}
        }
    }
}
http://:@edge_http@ {
    import guarded
    redir https://localhost:@edge@{uri} 308
}
"""


def daemon(world: World) -> Daemon:
    """Write the configuration and describe the process; its services keep the name of the edge's unit."""
    home, logs = world.path("nginx"), world.path("logs")
    for folder in (home, logs):
        folder.mkdir(parents=True, exist_ok=True)
    files = certs.ensure(world)
    edge, plain = world.port("edge"), world.port("edge_http")
    text = CONFIG
    for name, value in {
        "sites": ", ".join(f"https://{name}:{edge}" for name in certs.NAMES),
        "cert": files.edge,
        "key": files.edge_key,
        "logs": logs,
        "www": home / "www",
        "app1": world.port("app1"),
        "app2": world.port("app2"),
        "edge_http": plain,
        "edge": edge,
    }.items():
        text = text.replace(f"@{name}@", str(value))
    config = home / "nginx.conf"  # where the rest of the demo looks for what the edge runs with
    config.write_text(text)
    binary = shutil.which("caddy")
    assert binary is not None
    return Daemon(
        "nginx",
        [Path(binary), "run", "--config", config, "--adapter", "caddyfile"],
        home=home,
        ready=lambda: answers(edge) and answers(plain),
        env={"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        log=logs / "caddy-stdout.log",
    )
