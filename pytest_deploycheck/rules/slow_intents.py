"""What a service must be warned of before it fails, and how rules that do so are recognised, whoever wrote them.

The list is our own. A pattern is searched for in a rule's name and its expression, ignoring case; products that
name things otherwise say so under `[alerts] required_maintenance`.
"""

from __future__ import annotations

from pytest_deploycheck.rules.intents import Intent

SLOW_INTENTS: tuple[Intent, ...] = (
    Intent("disk fills up", r"predict_linear\s*\([^)]*(?:filesystem|disk|volume_stats)|deriv\s*\([^)]*filesystem|disk\w*(?:fill(?:s|ing)|soon|predict)"),
    Intent("inodes", r"inode|filesystem_files"),
    Intent("certificate expires", r"cert\w*(?:expir|not_after|days|soon|renew)|ssl_\w*expir|expir\w*cert"),
    Intent("backup too old", r"backup\w*(?:old|age|stale|last|missing|fail)|(?:pgbackrest|restic|barman|wal_?g)\w*(?:last|age|time)"),
    Intent("WAL archiving fails", r"archiver\w*fail|wal\w*(?:archive|archiv)\w*|archive\w*(?:fail|lag)", "db"),
    Intent("restore test too old", r"restore\w*(?:test|drill|last|old|age)|(?:test|drill)\w*restore"),
    Intent("transaction ids run out", r"wraparound|xid_?age|datfrozenxid|txid", "db"),
    Intent("reboot required", r"reboot_?(?:required|pending|needed)"),
    Intent("exporter absent", r"\babsent(?:_over_time)?\s*\(\s*up\b|exporter\w*(?:absent|missing|down)"),
    Intent("clock drifts", r"timex|\bntp|chrony|clock_?(?:skew|drift|offset|sync)"),
    Intent("node provider's quota", r"(?:rpc|provider|infura|alchemy|quicknode|ethereum|node_?api)\w*.{0,40}(?:quota|credit|compute_?unit|rate_?limit)", "rpc"),
    Intent("signer balance", r"balance(?!r)", "rpc"),
    Intent("image or vulnerability scan too old", r"(?:image|trivy|grype|vuln|cve)\w*.{0,30}(?:scan|age|old|last|vulnerab)|scan\w*(?:old|age|last)"),
    Intent("log agent drops lines", r"(?:log|promtail|vector|fluent\w*|shipper|alloy|otelcol|filebeat|agent)\w*.{0,30}(?:drop|discard|lost)"),
    Intent("Prometheus's storage", r"prometheus_tsdb|prometheus\w*(?:storage|disk|wal|compaction)"),
)  # fmt: skip
