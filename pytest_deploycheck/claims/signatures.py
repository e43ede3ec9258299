"""Signatures: SSHSIG files made and verified by `ssh-keygen -Y`, against an `allowed_signers` file.

A signature counts when the key is allowed to its principal both when the envelope says that it was made and
now: a time in the file is only the signer's word, so an expired key could otherwise be used for ever.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path

NAMESPACE = "deploycheck@v1"
TIMEOUT_S = 20
_VALIDITY = re.compile(r'\bvalid-(?:after|before)=(?:"[^"]*"|[^\s,]+),?', re.IGNORECASE)
_ARMOR = re.compile(r"-----BEGIN SSH SIGNATURE-----\s*(.*?)\s*-----END SSH SIGNATURE-----", re.DOTALL)


_ASKED: dict[tuple[object, ...], bool] = {}
"""What ssh-keygen said of the same bytes before, in this process; without validities the time does not matter."""


class Status(StrEnum):
    """What a signature is worth."""

    OK = "ok"
    MISSING = "missing"
    BAD = "bad"
    WRONG_NAMESPACE = "wrong_namespace"
    UNKNOWN_KEY = "unknown_key"
    EXPIRED_KEY = "expired_key"
    REVOKED_KEY = "revoked_key"


MEANS = {
    Status.MISSING: "it is not signed",
    Status.BAD: "its signature is not over these bytes: the file was changed after it was signed",
    Status.WRONG_NAMESPACE: f"its signature was made for another purpose than {NAMESPACE}",
    Status.UNKNOWN_KEY: "its key is not one of its principal's in allowed_signers",
    Status.EXPIRED_KEY: "its key was not valid when it was signed, or is not now",
    Status.REVOKED_KEY: "its key is revoked",
}


class SignaturesUnavailable(Exception):
    """ssh-keygen is missing, too old or broken; the message says what to do."""


@dataclass(frozen=True)
class Trust:
    """Whose keys are believed: the files of allowed signers and of revoked keys (None without one)."""

    allowed_signers: Path
    revoked: Path | None = None


def sign(path: Path, key: Path) -> Path:
    """Sign a file and return the signature's path; ssh-keygen may ask the terminal for a passphrase."""
    signature = path.with_name(f"{path.name}.sig")
    signature.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path)]
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        raise SignaturesUnavailable("ssh-keygen is not installed here; install openssh-client") from None
    if done.returncode or not signature.is_file():
        why = (done.stderr.strip().splitlines() or ["it wrote no signature"])[-1]
        raise SignaturesUnavailable(f"{path.name} could not be signed with {key}: {why}")
    return signature


def verify(
    content: bytes, signature: Path, principal: str, trust: Trust, *, signed_at: datetime, now: datetime
) -> Status:
    """Say what a signature file is worth for these bytes and this principal."""
    self_test()
    if not signature.is_file():
        return Status.MISSING
    namespace = _namespace(signature)
    if namespace is None:
        return Status.BAD
    if namespace != NAMESPACE:
        return Status.WRONG_NAMESPACE
    if not trust.allowed_signers.is_file():
        return Status.BAD if _keygen(content, "check-novalidate", signature) else Status.UNKNOWN_KEY
    moments = {_stamp(signed_at), _stamp(now)}
    if all(_allowed(content, signature, principal, trust.allowed_signers, moment) for moment in moments):
        revoked = trust.revoked is not None and not _allowed(
            content, signature, principal, trust.allowed_signers, _stamp(now), trust.revoked
        )
        return Status.REVOKED_KEY if revoked else Status.OK
    if _keygen(content, "check-novalidate", signature):
        return Status.BAD
    with tempfile.TemporaryDirectory() as folder:
        timeless = Path(folder, "allowed_signers")
        timeless.write_text(_VALIDITY.sub("", trust.allowed_signers.read_text()))
        known = _allowed(content, signature, principal, timeless, _stamp(now))
    return Status.EXPIRED_KEY if known else Status.UNKNOWN_KEY


def principals(content: bytes, signature: Path, trust: Trust) -> tuple[str, ...]:
    """Return the principals whose key made a signature, for countersignatures and for messages."""
    command = ["-s", str(signature), "-f", str(trust.allowed_signers)]
    done = _run(["ssh-keygen", "-Y", "find-principals", *command], content)
    return tuple(done.stdout.split()) if done.returncode == 0 else ()


def _allowed(
    content: bytes, signature: Path, principal: str, signers: Path, stamp: str, revoked: Path | None = None
) -> bool:
    """Whether a key of the principal made the signature and was valid at a time; asked once for the same bytes."""
    known = signers.read_bytes()
    timed = _VALIDITY.search(known.decode("utf-8", "replace")) is not None
    of = (content, signature.read_bytes(), known, revoked.read_bytes() if revoked is not None else b"")
    question = (principal, stamp if timed else "", revoked is None, *(sha256(part).digest() for part in of))
    if question not in _ASKED:
        more = ["-f", str(signers), "-I", principal, "-O", f"verify-time={stamp}"]
        if revoked is not None:
            more += ["-r", str(revoked)]
        _ASKED[question] = _keygen(content, "verify", signature, *more) == 0
    return _ASKED[question]


def _keygen(content: bytes, action: str, signature: Path, *more: str) -> int:
    return _run(
        ["ssh-keygen", "-Y", action, "-n", NAMESPACE, "-s", str(signature), *more], content
    ).returncode


def _run(command: list[str], content: bytes) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT_S)
    except FileNotFoundError:
        raise SignaturesUnavailable("ssh-keygen is not installed here; install openssh-client") from None
    return subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S}Z"


def _namespace(signature: Path) -> str | None:
    """Read the purpose out of a signature (OpenSSH, PROTOCOL.sshsig); None when it is none."""
    try:
        found = _ARMOR.search(signature.read_text(encoding="ascii"))
        blob = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
        if not blob.startswith(b"SSHSIG"):
            return None
        at = 6 + 4
        (length,) = struct.unpack_from(">I", blob, at)
        at += 4 + length
        (length,) = struct.unpack_from(">I", blob, at)
        return blob[at + 4 : at + 4 + length].decode()
    except (OSError, UnicodeDecodeError, binascii.Error, struct.error):
        return None


@cache
def self_test() -> None:
    """Refuse an ssh-keygen that lets an expired key pass or a changed byte; once for each process."""
    with tempfile.TemporaryDirectory() as folder:
        key, file = Path(folder, "key"), Path(folder, "file")
        made = _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], b"")
        if made.returncode:
            raise SignaturesUnavailable(f"ssh-keygen makes no key: {made.stderr.strip()[:200]}")
        file.write_bytes(b"self-test")
        signature = sign(file, key)
        public = key.with_suffix(".pub").read_text()
        signers = Path(folder, "signers")
        results = []
        for options in ("", 'valid-before="20200101Z" '):
            signers.write_text(f"me {options}{public}")
            results.append(_allowed(b"self-test", signature, "me", signers, _stamp(datetime.now(UTC))))
        results.append(_keygen(b"self-tesT", "check-novalidate", signature) == 0)
        if results != [True, False, False]:
            raise SignaturesUnavailable(
                "this ssh-keygen does not tell an expired key or a changed file; install OpenSSH 9.0 or newer"
            )
