"""What the db_schema probe asks PostgreSQL (12 and later): its catalogue, statistics and settings."""

from __future__ import annotations

# Tables of the product: no catalogue, nothing that an extension brought, no piece of a partitioned one.
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, n.nspname AS schema, c.relname AS bare,
       c.relkind = 'p' AS partitioned,
       greatest(s.n_live_tup, c.reltuples::bigint, 0) AS rows, coalesce(s.n_tup_ins, 0) AS inserted,
       coalesce(s.analyze_count + s.autoanalyze_count, 0) > 0 OR s.last_analyze IS NOT NULL
         OR s.last_autoanalyze IS NOT NULL
         OR EXISTS (SELECT FROM pg_stats p WHERE p.schemaname = n.nspname AND p.tablename = c.relname)
         AS analyzed,
       coalesce(c.reloptions::text, '') ~* 'autovacuum_enabled=(false|off|no|0)' AS autovacuum_off,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                AND i.indpred IS NULL AND i.indexprs IS NULL
                AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                                 AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])
                                 AND NOT a.attnotnull)) AS has_key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname !~ '^(pg_|information_schema)'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
 ORDER BY rows DESC, 1
"""
# An index serves a foreign key when its leading columns are exactly the key's. Where it is partial, its
# condition may only say that those columns are not null: a look-up by value implies that.
FOREIGN_KEYS = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS table, c.conname AS name,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(c.conkey) WITH ORDINALITY x(number, place)
               JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = x.number ORDER BY x.place)
         AS columns,
       ARRAY(SELECT coalesce(pg_get_expr(i.indpred, i.indrelid), '') FROM pg_index i
              WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indisready
                AND i.indnkeyatts >= cardinality(c.conkey)
                AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
                AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] <@ c.conkey) AS indexes
  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype = 'f' AND c.conparentid = 0 AND NOT t.relispartition ORDER BY 1, 2
"""
# One that is being built right now is not what a failed build left behind.
BROKEN = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(x.relname) AS name,
       quote_ident(m.nspname) || '.' || quote_ident(t.relname) AS table
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace m ON m.oid = t.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname !~ '^pg_temp'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                    WHERE p.index_relid = i.indexrelid OR p.relid = i.indrelid)
 ORDER BY 1
"""
DUPLICATES = """
SELECT min(t.name) AS table, array_agg(t.index ORDER BY t.index) AS names
  FROM (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
               quote_ident(xn.nspname) || '.' || quote_ident(x.relname) AS index, i.indrelid, x.relam,
               i.indkey::text AS key, i.indclass::text AS classes, i.indcollation::text AS collations,
               i.indoption::text AS options, i.indnkeyatts,
               coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions,
               coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate
          FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_namespace xn ON xn.oid = x.relnamespace
          JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE i.indisvalid AND NOT i.indisexclusion AND NOT x.relispartition
           AND n.nspname !~ '^(pg_|information_schema)') t
 GROUP BY indrelid, relam, key, classes, collations, options, indnkeyatts, expressions, predicate
HAVING count(*) > 1 ORDER BY 1, 2
"""
# From PostgreSQL 18 on a constraint may be written down without being enforced, which is no oversight.
UNVALIDATED = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS table, c.conname AS name
  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype IN ('f', 'c') AND NOT c.convalidated {enforced} ORDER BY 1, 2
"""
SERVER = """
SELECT current_database() AS database, current_user AS role,
       current_setting('server_version_num')::int AS version_num,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS counts_statements,
       pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS may_read_settings,
       (SELECT max(age(datfrozenxid)) FROM pg_database) AS xid_age,
       (SELECT max(mxid_age(datminmxid)) FROM pg_database) AS multixact_age
"""
SETTINGS = """
SELECT name, setting AS value, coalesce(unit, '') AS unit FROM pg_settings WHERE name IN (
  'shared_preload_libraries', 'autovacuum', 'track_counts', 'shared_buffers', 'work_mem', 'max_connections',
  'data_checksums', 'log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration',
  'autovacuum_freeze_max_age', 'autovacuum_multixact_freeze_max_age')
"""


def unvalidated(version_num: int) -> str:
    """Return the query of constraints whose old rows were never checked."""
    return UNVALIDATED.format(enforced="AND c.conenforced" if version_num >= 180000 else "")
