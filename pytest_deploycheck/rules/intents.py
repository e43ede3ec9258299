"""What a service must alert on, and how rules that do so are recognised, whoever wrote them.

The list is our own. A pattern is searched for in a rule's name and its expression, ignoring case; products
that name things otherwise say so under `[alerts] required`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Intent:
    """One thing to be told of; `when` names the section of the target file without which it does not apply."""

    name: str
    pattern: str
    when: str = ""


SECURITY_INTENTS: dict[str, str] = {
    "failed logins": r"(?:login|auth|password|credential)\w*.{0,40}(?:fail|surge|spike|brute|attack|4\.\.|401|denied)"
    r"|(?:fail|surge|brute|attack)\w*.{0,40}(?:login|auth|password)",
    "5xx ratio": r"5\.\.|5xx|5\[0-9\]|5\\d|\b50[0-4]\b|error_?(?:ratio|rate|budget)|burn_?rate",
    "certificate": r"cert|ssl_|tls.*expir",
    "rate limit surge": r"429|rate_?limit|too_?many|throttl|flood|ddos",
}
"""What security wants to be told of, by the same kind of pattern."""

INTENTS: tuple[Intent, ...] = (
    Intent(
        "target down",
        r"\bup\b\s*(?:\{[^}]*\})?\s*(?:\[\w+\])?\s*\)*\s*(?:==\s*(?:bool\s*)?0|!=\s*1|<\s*[01])"
        r"|(?:target|instance|endpoint|service|exporter)s?_?(?:is)?_?down",
    ),
    Intent("absent job", r"\babsent(?:_over_time)?\s*\("),
    Intent("5xx ratio", r"5\.\.|5xx|5\[0-9\]|5\\d|\b50[0-4]\b|error_?(?:ratio|rate|budget)|burn_?rate"),
    Intent("latency", r"latency|duration|response_?time|histogram_quantile|slow_?request"),
    Intent("disk", r"disk|filesystem|volume_stats|\bfs_"),
    Intent("memory", r"mem(?:ory|available|_)|\boom"),
    Intent("certificate", r"cert|ssl_|tls.*expir"),
    Intent("backup age", r"backup|snapshot|restic|pgbackrest|barman|wal_?g"),
    Intent(
        "database down",
        r"pg_up|mysql_up|(?:postgres\w*|mysql|database|\bdb)_?(?:is)?_?(?:down|unreach)",
        "db",
    ),
    Intent("cache down", r"redis_up|(?:redis|valkey|cache)_?(?:is)?_?(?:down|unreach|missing)", "redis"),
    Intent(
        "RPC down or head lag",
        r"rpc|(?:block|head|chain|node|eth)\w*(?:lag|age|behind|stale|stuck|old|down|sync)|chain_up",
        "rpc",
    ),
    Intent("signer balance", r"balance", "rpc"),
    Intent("queue", r"queue|backlog|consumer_?lag|pending_?(?:jobs|tx|transactions)", "rpc"),
    Intent(
        "error burst",
        r"log\w*.{0,40}err|(?:error|exception)\w*.{0,12}(?:burst|spike|surge)|(?:errors?|exceptions?)_total",
    ),
)
