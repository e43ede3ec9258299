"""Response headers that protect, judged by value, and headers that tell of the inside.

Sources: RFC 6797 (HSTS), WHATWG Fetch (nosniff), OWASP ASVS 5.0 3.3 and 3.4, OWASP REST Security cheat
sheet (what an API needs: HSTS, nosniff, no framing), OWASP Secure Headers project (what to remove). What an
API does not need is asked of pages only. A header that comes twice with the same value protects all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_deploycheck.rules import csp

TELLTALE = frozenset(
    (
        # the software and its version
        "k-proxy-request liferay-portal oraclecommercecloud-version pega-host powered-by product server "
        "x-aspnet-version x-aspnetmvc-version x-cf-powered-by x-cms x-cocoon-version x-content-encoded-by "
        "x-framework x-generated-by x-generator x-jitsi-release x-joomla-version x-mod-pagespeed "
        "x-owa-version x-page-speed x-php-version x-powered-by x-powered-by-plesk x-powered-cms "
        "x-redirect-by x-server-powered-by x-turbo-charged-by x-umbraco-version "
        # hosts and services behind the edge
        "host-header x-backside-transport x-beserver x-calculatedbetarget x-diaginfo x-envoy-attempt-count "
        "x-envoy-external-address x-envoy-internal x-envoy-original-dst-host x-envoy-upstream-service-time "
        "x-feserver x-kubernetes-pf-flowschema-ui x-kubernetes-pf-flowschema-uid "
        "x-kubernetes-pf-prioritylevel-uid x-varnish-backend x-varnish-server "
        # source code, agents and inner state
        "$wsep sourcemap x-atmosphere-error x-atmosphere-first-request x-atmosphere-tracking-id "
        "x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-dtagentid x-dthealthcheck "
        "x-dtinjectedservlet x-litespeed-cache x-litespeed-cache-control x-litespeed-purge x-litespeed-tag "
        "x-litespeed-vary x-nextjs-cache x-nextjs-matched-path x-nextjs-page x-nextjs-redirect "
        "x-old-content-length x-oneagent-js-injection x-ruxit-js-agent x-sourcefiles x-sourcemap"
    ).split()
)
"""Lower-case names that should not leave the edge with a value; `Server` may, without a version."""

PROTECTIVE = (
    "strict-transport-security x-content-type-options content-security-policy x-frame-options "
    "referrer-policy cache-control x-xss-protection content-type"
).split()
"""Lower-case names whose values are judged."""

REFERRER_POLICIES = frozenset(
    (
        "no-referrer same-origin origin strict-origin origin-when-cross-origin "
        "strict-origin-when-cross-origin"
    ).split()
)
_ALL_REFERRER_POLICIES = {*REFERRER_POLICIES, "unsafe-url", "no-referrer-when-downgrade"}
_CSRF = re.compile(r"csrf|xsrf", re.IGNORECASE)


@dataclass(frozen=True)
class Policy:
    """What a host must send: `html` asks of every answer what is asked of pages."""

    html: bool
    hsts_min_age_s: float
    hsts_subdomains: bool
    exempt: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cookie:
    """A cookie that was set: its name and attributes, never its value."""

    name: str
    secure: bool
    http_only: bool
    same_site: str
    deleted: bool


def cookie(value: str) -> Cookie:
    """Return the facts of a Set-Cookie value."""
    pair, *rest = value.split(";")
    attributes = {
        name.strip().lower(): content.strip() for name, _, content in (part.partition("=") for part in rest)
    }
    return Cookie(
        name=pair.partition("=")[0].strip(),
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        same_site=attributes.get("samesite", "").lower(),
        deleted=attributes.get("max-age") == "0" or "1970" in attributes.get("expires", ""),
    )


def cookie_problems(found: Cookie) -> list[str]:
    """Return what a cookie lacks (ASVS 3.3.1 to 3.3.4); one against CSRF may be readable by scripts."""
    if found.deleted:
        return []
    problems = [] if found.secure else [f"cookie {found.name} lacks Secure"]
    if not found.http_only and not _CSRF.search(found.name):
        problems.append(f"cookie {found.name} lacks HttpOnly")
    if found.same_site not in ("lax", "strict", "none"):
        problems.append(f"cookie {found.name} lacks SameSite")
    return problems


def protection_problems(
    headers: Mapping[str, Sequence[str]], policy: Policy, *, secure: bool, body: bool
) -> list[str]:
    """Return what an answer's headers fail to guarantee.

    headers: lower-case name -> values.  secure: it came over https from a host with a name.  body: it
    carries content that a browser could show.
    """
    page = policy.html or any("html" in value.lower() for value in headers.get("content-type", ()))
    found = _hsts(headers, policy) if secure else []
    if body:
        found += _nosniff(headers) + _framing(headers)
        found += csp.script_problems(csp.parse(headers.get("content-security-policy", ()))) if page else []
        found += _referrer(headers, required=page)
    for value in headers.get("x-xss-protection", ()):
        if value.strip() != "0":
            found.append(f"X-XSS-Protection is {value!r}; it must be absent or 0")
    return [problem for problem in found if not any(name in problem.lower() for name in policy.exempt)]


def _hsts(headers: Mapping[str, Sequence[str]], policy: Policy) -> list[str]:
    name = "Strict-Transport-Security"
    values = headers.get(name.lower(), ())
    if not values:
        return [f"{name} is missing"]
    parsed = [hsts(value) for value in values]
    if len(set(parsed)) > 1:
        return [f"{name} comes {len(values)} times with different values"]
    age, subdomains = parsed[0]
    if age is None:
        return [f"{name} {values[0]!r} has no usable max-age"]
    if age < policy.hsts_min_age_s:
        return [f"{name} has max-age={age}, below {policy.hsts_min_age_s:.0f}"]
    if policy.hsts_subdomains and not subdomains:
        return [f"{name} lacks includeSubDomains"]
    return []


def hsts(value: str) -> tuple[int | None, bool]:
    """Return max-age in seconds (None: invalid, so that browsers ignore the header) and includeSubDomains."""
    directives: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(";"))):
        name, _, content = part.partition("=")
        key = name.strip().lower()
        if key in directives:
            return None, False
        directives[key] = content.strip().strip('"')
    age = directives.get("max-age", "")
    return (int(age) if age.isascii() and age.isdigit() else None), "includesubdomains" in directives


def _nosniff(headers: Mapping[str, Sequence[str]]) -> list[str]:
    values = [
        part.strip().lower()
        for value in headers.get("x-content-type-options", ())
        for part in value.split(",")
    ]
    if not values:
        return ["X-Content-Type-Options is missing"]
    return (
        [] if set(values) == {"nosniff"} else [f"X-Content-Type-Options is {', '.join(values)}, not nosniff"]
    )


def _framing(headers: Mapping[str, Sequence[str]]) -> list[str]:
    refused = csp.refuses_framing(csp.parse(headers.get("content-security-policy", ())))
    if refused is not None:
        # Where frame-ancestors speaks, browsers do not look at X-Frame-Options.
        return [] if refused else ["Content-Security-Policy lets any site frame it (frame-ancestors)"]
    values = {value.strip().upper() for value in headers.get("x-frame-options", ())}
    if not values:
        return [
            "framing is not refused: neither frame-ancestors (Content-Security-Policy) nor X-Frame-Options"
        ]
    good = len(values) == 1 and values <= {"DENY", "SAMEORIGIN"}
    return [] if good else [f"X-Frame-Options is {', '.join(sorted(values))}"]


def _referrer(headers: Mapping[str, Sequence[str]], *, required: bool) -> list[str]:
    values = [
        part.strip().lower() for value in headers.get("referrer-policy", ()) for part in value.split(",")
    ]
    known = [value for value in values if value in _ALL_REFERRER_POLICIES]
    if not known:
        return ["Referrer-Policy is missing or not understood"] if required or values else []
    # The last one that a browser understands is in force.
    return [] if known[-1] in REFERRER_POLICIES else [f"Referrer-Policy is {known[-1]}"]


def storing_problem(values: Sequence[str]) -> str:
    """Return why an answer for one user could be stored where others or later users find it (ASVS 14.3.2)."""
    words = {word.strip().lower() for value in values for word in value.split(",")}
    if "no-store" in words:
        return ""
    if "private" in words and words & {"no-cache", "max-age=0"} and "public" not in words:
        return ""
    return f"Cache-Control is {', '.join(values)!r}" if values else "Cache-Control is missing"


def telltales(headers: Mapping[str, Sequence[str]], allowed: Collection[str]) -> list[str]:
    """Return `Name: value` of each header that tells of the inside."""
    found = []
    for name, values in headers.items():
        if name not in TELLTALE or name in allowed:
            continue
        for value in values:
            if value.strip() and (name != "server" or re.search(r"\d", value)):
                found.append(f"{name}: {value[:80]}")
    return found
