"""A container registry, read by the OCI distribution API: manifests by tag, and the blobs that they name.

Registries ask for a token of another service, and send us elsewhere for blobs. Tokens are fetched where the target
file says only; blobs only from hosts on its list, without credentials. Whatever is fetched by a digest is compared with
that digest, so that it does not matter who served it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.http import Http, Response

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_CHALLENGE = re.compile(r"(\w+)=\"([^\"]*)\"")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Registry:
    """The registry of `build.registry_url`.

    client(name, base) gives an HTTP client for one of its endpoints.  secret: the password, or "".  learn: hears of the
    tokens that the registry gives.
    """

    def __init__(
        self,
        target: Target,
        client: Callable[[str, str], Http],
        *,
        password: str,
        learn: Callable[[str], None],
    ) -> None:
        self._section = target.build
        self._client = client
        self._http = client("registry", "")
        self._password = password
        self._learn = learn
        self._authorization: dict[str, str] = {}

    @property
    def host(self) -> str:
        """Host and port, as references of images begin with it."""
        return urlsplit(self._http.base).netloc

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest that a tag names now; None when there is no such tag."""
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self._ask("HEAD", repository, path)
        if answer.status == 404:
            return None
        found = answer.header("docker-content-digest") or ""
        if answer.status == 200 and DIGEST.fullmatch(found):
            return found
        # The header is a should only: then the content tells.
        answer = self._ask("GET", repository, path)
        return None if answer.status == 404 else f"sha256:{hashlib.sha256(answer.body).hexdigest()}"

    def manifest(self, repository: str, digest: str) -> Mapping[str, Any]:
        """Return a manifest or an index by its digest."""
        answer = self._ask("GET", repository, f"/v2/{repository}/manifests/{digest}")
        return _checked(answer, digest)

    def blob(self, repository: str, digest: str) -> Mapping[str, Any]:
        """Return a blob that is JSON, such as an image's configuration."""
        path = f"/v2/{repository}/blobs/{digest}"
        answer = self._ask("GET", repository, path)
        if answer.status in (301, 302, 303, 307, 308):
            answer = self._elsewhere(urljoin(self._http.base + path, answer.header("location") or ""))
        return _checked(answer, digest)

    def _elsewhere(self, address: str) -> Response:
        url = urlsplit(address)
        own = url.netloc == self.host
        allowed = own or any(fnmatch(url.hostname or "", pattern) for pattern in self._section.blob_hosts)
        if not allowed or not (url.scheme == "https" or (own and url.hostname in _LOOPBACK)):
            raise CannotLook(
                Reason.NOT_ALLOWED,
                f"the registry keeps its blobs at {url.scheme}://{url.netloc}; add that host to build.blob_hosts",
            )
        rest = url.path + (f"?{url.query}" if url.query else "")
        return self._client("image_blobs", f"{url.scheme}://{url.netloc}").get(rest)

    def _ask(self, method: str, repository: str, path: str) -> Response:
        headers: dict[str, str | None] = {"Accept": _ACCEPT}
        if repository in self._authorization:
            headers["Authorization"] = self._authorization[repository]
        answer = self._http.request(method, path, headers=headers)
        if answer.status == 401 and repository not in self._authorization:
            self._authorization[repository] = self._authorize(answer, repository)
            return self._ask(method, repository, path)
        if answer.status in (401, 403):
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} answers {answer.status} about {repository}; give build.registry_user and _password",
            )
        if answer.status >= 500 or answer.status == 429:
            raise CannotLook(
                Reason.NO_ACCESS, f"{self._http.shown} answers {answer.status} about {repository}"
            )
        return answer

    def _authorize(self, answer: Response, repository: str) -> str:
        """Return the Authorization that a challenge asks for (RFC 9110 11.6.1; the registry's token protocol)."""
        challenge = answer.header("www-authenticate") or ""
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "basic" and self._password:
            return self._basic()
        asked = dict(_CHALLENGE.findall(challenge))
        if scheme != "bearer" or "realm" not in asked:
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} wants credentials; give build.registry_user and _password",
            )
        realm = urlsplit(asked["realm"])
        origin = f"{realm.scheme}://{realm.netloc}"
        known = [
            f"{url.scheme}://{url.netloc}"
            for url in map(urlsplit, (self._http.base, self._section.token_url))
        ]
        if origin not in known:
            raise CannotLook(
                Reason.NO_CONFIG,
                f"the registry's tokens come from {origin}{realm.path}; set build.token_url to that",
            )
        given = self._client("image_token", origin).get(
            realm.path,
            params={"service": asked.get("service", ""), "scope": f"repository:{repository}:pull"},
            headers={"Authorization": self._basic()} if self._password else {},
        )
        body = given.json() if given.status == 200 else {}
        token = str(body.get("token") or body.get("access_token") or "") if isinstance(body, Mapping) else ""
        if not token:
            raise CannotLook(
                Reason.NO_ACCESS, f"{origin} answers {given.status} and gives no token for {repository}"
            )
        self._learn(token)
        return f"Bearer {token}"

    def _basic(self) -> str:
        pair = f"{self._section.registry_user}:{self._password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def _checked(answer: Response, digest: str) -> Mapping[str, Any]:
    """Return the JSON object that an answer holds, when it is what the digest stands for."""
    if answer.status != 200:
        raise CannotLook(Reason.NO_ACCESS, f"{digest[:19]}… is answered {answer.status}")
    if f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
        raise CannotLook(Reason.UNPARSEABLE, f"what the registry gives for {digest[:19]}… is something else")
    try:
        value = safe_json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CannotLook(Reason.UNPARSEABLE, f"{digest[:19]}… is no JSON object")
    return value
