"""Content-Security-Policy (CSP Level 3): parsed, and judged by what it really forbids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Policy = Mapping[str, tuple[str, ...]]
"""Directive (lower case) -> its sources (as written, keywords in lower case)."""

_ANYWHERE = frozenset({"*", "http:", "https:", "http://*", "https://*"})
_TRUSTED_INLINE = ("'nonce-", "'sha256-", "'sha384-", "'sha512-")


def parse(values: Sequence[str]) -> list[Policy]:
    """Return the policies of all headers; the first of a repeated directive counts."""
    policies: list[Policy] = []
    for text in (part for value in values for part in value.split(",")):
        policy: dict[str, tuple[str, ...]] = {}
        for directive in text.split(";"):
            words = directive.split()
            if words:
                sources = tuple(word.lower() if word.startswith("'") else word for word in words[1:])
                policy.setdefault(words[0].lower(), sources)
        if policy:
            policies.append(policy)
    return policies


def refuses_framing(policies: Sequence[Policy]) -> bool | None:
    """Whether framing by any site is refused; None when no policy says anything about it."""
    speaking = [policy["frame-ancestors"] for policy in policies if "frame-ancestors" in policy]
    if not speaking:
        return None
    return any(not _ANYWHERE & set(sources) for sources in speaking)


def script_problems(policies: Sequence[Policy]) -> list[str]:
    """Return what lets foreign scripts run; all policies apply at once, so one good policy is enough."""
    if not policies:
        return ["there is no Content-Security-Policy"]
    found = [_script_problems(policy) for policy in policies]
    return min(found, key=len)


def _script_problems(policy: Policy) -> list[str]:
    sources = policy.get("script-src", policy.get("default-src"))
    if sources is None:
        return ["the Content-Security-Policy limits no scripts (neither script-src nor default-src)"]
    marked = any(source.startswith(_TRUSTED_INLINE) for source in sources)
    strict = "'strict-dynamic'" in sources
    problems = []
    if "'unsafe-inline'" in sources and not marked and not strict:
        problems.append("script-src allows 'unsafe-inline'")
    open_ = sorted(({*_ANYWHERE, "data:"} & set(sources)) if not strict else ())
    if open_:
        problems.append(f"script-src allows {', '.join(open_)}")
    objects = policy.get("object-src", policy.get("default-src"))
    if objects is None or {*_ANYWHERE, "data:"} & set(objects):
        problems.append("plugins may load from anywhere (object-src)")
    return problems
