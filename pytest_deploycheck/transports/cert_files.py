"""Certificates on a server: the commands that show them, and never a private key.

What is printed of a file is its certificates, its key's public half, its mode and owner, or single settings that
say who renews it. Names of files may hold `*`, since a certificate's folder is named by whoever made it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FILE = r"/[\w./@+*-]+"
"""A file's absolute name, or a pattern of such."""
CRON = (
    "for file in /etc/crontab /etc/cron.d/* /etc/cron.daily/* /etc/cron.hourly/* /etc/periodic/*/* "
    "/var/spool/cron/* /var/spool/cron/crontabs/*; do grep -hE '(certbot|acme|lego|dehydrated)' \"$file\"; done 2>/dev/null; "
    "crontab -l 2>/dev/null | grep -E '(certbot|acme|lego|dehydrated)'"
)
"""Lines of every table of cron that name a renewer."""
_EACH = 'for file in {files}; do if [ -f "$file" ]; then echo "==> $file <=="; {show}; fi; done'
_OWNER = "stat -L -c '%a %U %G' \"$file\""
_SHOWN = {
    "chains": "sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' \"$file\"",
    "keys": f'{_OWNER}; openssl pkey -pubout -in "$file"',
    "certbot": "grep -E '^(archive_dir|server|authenticator|installer|renew_hook|pre_hook|http01_port) *=' \"$file\"",
    "versions": 'readlink -f "$file"',
    "acme.sh": "grep -E '^Le_(API|NextRenewTime|ReloadCmd|RealFullChainPath|RealKeyPath)=' \"$file\"",
    "traefik": f"{_OWNER}; "
    'sed -n -e \'s/^ *"certificate": "\\(.*\\)".*$/certificate \\1/p\' '
    '-e \'s/^ *"uri": "\\(.*\\)".*$/uri \\1/p\' "$file"',
    "log": "stat -L -c '%Y' \"$file\"; grep -hE ':(ERROR|CRITICAL):|no renewal failures' \"$file\" | tail -n 5",
}
_QUESTIONS = tuple(
    re.compile(re.escape(_EACH.format(files="@", show=show)).replace("@", f"{FILE}(?: {FILE})*"))
    for show in _SHOWN.values()
)


def question(kind: str, files: Sequence[str]) -> str:
    """Return the command that shows files of a kind: "chains", "keys", "certbot", "versions", "acme.sh", "traefik", "log".

    Each file's part begins with a line `==> NAME <==`; files that are not there have none.
    """
    return _EACH.format(files=" ".join(files), show=_SHOWN[kind])


def is_question(command: str) -> bool:
    """Whether a command is, word for word, one that this module makes."""
    return command == CRON or any(pattern.fullmatch(command) for pattern in _QUESTIONS)


def parts(text: str) -> dict[str, str]:
    """Return what was printed of each file, by its name."""
    pieces = re.split(r"^==> (.+) <==$", text, flags=re.MULTILINE)
    return {name: body.strip("\n") for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
