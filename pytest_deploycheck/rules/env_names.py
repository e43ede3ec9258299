"""Which type a configuration key has, by the names that services commonly give them; the first match counts."""

from __future__ import annotations

import re

SECRET_KEY = re.compile(
    r"(?i)(?:^|_)(?:secrets?|password|passwd|passphrase|pass|pwd|private|token|mnemonic|seed|credentials?|salt|pepper"
    r"|keys?|api_?key|apikey|secretkey|privatekey)(?:_|\d*$)"
)
PUBLIC_KEY = re.compile(
    r"(?i)public|publishable|(?:^|_)pub_|site_?key"
    r"|_(?:ttl|id|name|path|file|files|url|uri|host|port|address|alg|algorithm|expir\w*|issuer|audience|length|rounds|version|type)$"
)
_NAMES: tuple[tuple[str, str], ...] = (
    (r"(?:^|_)(?:node|app|rails|rack|flask|django|go|mix|deploy|server|run)_env$|^env$", "mode"),
    (r"(?:^|_)environment$|^spring_profiles_active$|^stage$|^app_stage$", "mode"),
    (r"(?:^|_)debug(?:_mode)?$", "debug"),
    (r"(?:^|_)log_?level$|^rust_log$", "level"),
    (r"(?:^|_)(?:chain|network)_?id$", "chain"),
    (r"^(?:eth|ethereum|chain|evm)_network$|^network$", "network"),
    (r"(?:^|_)origins?$|^cors_(?:allow|allowed)(?:_hosts?)?$", "origins"),
    (r"^sentry_dsn$|_sentry_dsn$", "url"),
    (
        r"^(?:database|db|pg|postgres|postgresql|mysql|mongo|mongodb)_?(?:ur[li]|dsn)$|_(?:database|db)_(?:ur[li]|dsn)$",
        "database",
    ),
    (
        r"(?:^|_)(?:redis|valkey|cache|broker|queue|amqp|rabbitmq|kafka|nats|smtp|mail|mailer|celery_\w+)_(?:tls_)?(?:ur[li]|dsn)$",
        "service",
    ),
    (r"(?:^|_)dsn$", "database"),
    (r"(?:^|_)(?:ur[li]|endpoint|webhook)$", "url"),
    (r"(?:^|_)(?:db|database|postgres|pg|mysql)_?(?:name|db|database)$|^pgdatabase$", "dbname"),
    (r"(?:^|_)(?:host|hostname|domain)$|^pghost$", "host"),
    (r"(?:^|_)port$|^pgport$", "port"),
    (r"(?:contract|token|treasury|owner|admin|proxy|vault|router|factory|wallet|signer)_address$", "address"),
    (r"(?:^|_)(?:private|signer|deployer|wallet)_key$|^private_key$", "signer"),
    (r"(?:^|_)e?mail(?:_(?:from|to|address|sender))?$|^mail_from$|_from_email$", "email"),
    (r"(?:^|_)(?:enabled?|disabled?)$|^(?:enable|disable|use|is|has|allow|require)_", "bool"),
)


def guess(key: str) -> str:
    """Return the type that a key's name tells: `secret` for a secret's, `text` when it tells nothing."""
    name = key.lower()
    for pattern, kind in _NAMES:
        if re.search(pattern, name):
            return kind
    return "secret" if is_secret(key) else "text"


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return bool(SECRET_KEY.search(key)) and not PUBLIC_KEY.search(key)
