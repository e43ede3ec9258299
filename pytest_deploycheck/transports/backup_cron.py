"""The question for lines of cron that make backups, word for word; it prints no password that such a line may hold."""

from __future__ import annotations

PROGRAMS = "restic|pgbackrest|pg_dump|pg_basebackup|wal-g|barman|borg"
TOOLS = f"backup|{PROGRAMS}"
_SHORT = (
    "s/^([^ \\t]+[ \\t]+[^ \\t]+[ \\t]+[^ \\t]+[ \\t]+[^ \\t]+[ \\t]+[^ \\t]+|@[a-z]+)[ \\t].*("
    + TOOLS
    + ").*$/\\1 \\2/p"
)
CRON = (
    f"cat /etc/crontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/* 2>/dev/null | "
    f"grep -v '^[[:space:]]*#' | sed -nE '{_SHORT}'; crontab -l 2>/dev/null | grep -v '^[[:space:]]*#' | "
    f"sed -nE '{_SHORT}'; for often in hourly daily weekly monthly; do "
    f'grep -qsE "({PROGRAMS})" /etc/cron.$often/* && echo "@$often backup"; done; true'
)
"""Prints a line for each: the five fields or the nickname of when it runs, and the word that gave it away."""
