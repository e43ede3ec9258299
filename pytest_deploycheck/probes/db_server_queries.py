"""What the db_server probe asks PostgreSQL (12 and later): catalogues and settings, no row of a product."""

from __future__ import annotations

SERVER = """
SELECT current_database() AS database, current_user AS role, current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_num, pg_is_in_recovery() AS in_recovery,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_read_sessions,
       pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS may_read_settings,
       coalesce(host(inet_client_addr()), '') AS client_address,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
       extract(epoch FROM pg_conf_load_time())::float8 AS loaded_at,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) AS connections_max
"""
IDENTIFIER = "SELECT system_identifier::text AS value FROM pg_control_system()"
SETTINGS = """
SELECT name, setting AS value FROM pg_settings
 WHERE name IN ('listen_addresses', 'port', 'ssl', 'password_encryption', 'hba_file')
"""
PENDING = "SELECT name FROM pg_settings WHERE pending_restart ORDER BY name"
SESSIONS = """
SELECT a.usename AS role, a.datname AS database, coalesce(host(a.client_addr), '') AS address,
       coalesce(s.ssl, false) AS tls, coalesce(s.client_dn, '') <> '' AS certificate, count(*) AS n
  FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid)
 WHERE a.backend_type = 'client backend' AND a.usename IS NOT NULL
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3 LIMIT 200
"""
# Roles that make more of their members than a user of tables, by PostgreSQL and by who rents it out.
POWERFUL = (
    "pg_execute_server_program",
    "pg_write_server_files",
    "pg_read_server_files",
    "rds_superuser",
    "cloudsqlsuperuser",
    "azure_pg_admin",
    "alloydbsuperuser",
)
APP = """
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolcreaterole AS createrole, r.rolcreatedb AS createdb,
       r.rolreplication AS replication, r.rolbypassrls AS bypassrls, r.rolconnlimit AS connection_limit,
       CASE WHEN to_regnamespace('public') IS NULL THEN false
            ELSE has_schema_privilege(r.oid, to_regnamespace('public'), 'CREATE') END AS creates_in_public,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_') AS owned_tables,
       ARRAY(SELECT q.rolname::text FROM pg_roles q
              WHERE NOT r.rolsuper AND q.oid <> r.oid AND pg_has_role(r.oid, q.oid, 'MEMBER')
                AND (q.rolsuper OR q.rolcreaterole OR q.rolcreatedb OR q.rolreplication OR q.rolbypassrls
                     OR q.rolname = ANY(%s)) ORDER BY 1) AS may_become
  FROM pg_roles r WHERE r.rolname = %s
"""
# The expression never leaves the server: what is selected is the kind of a stored password alone.
KINDS = """
SELECT rolname AS role,
       CASE WHEN rolpassword IS NULL THEN 'none' WHEN rolpassword LIKE 'SCRAM-SHA-256$%%' THEN 'scram'
            WHEN rolpassword LIKE 'md5%%' THEN 'md5' ELSE 'other' END AS kind
  FROM pg_authid WHERE rolcanlogin ORDER BY 1
"""
HBA = """
SELECT {file} AS file, line_number AS line, coalesce(type, '') AS type, coalesce(database, '{{}}') AS databases,
       coalesce(user_name, '{{}}') AS users, coalesce(address, '') AS address,
       coalesce(netmask, '') AS netmask, coalesce(auth_method, '') AS method, coalesce(error, '') AS error
  FROM pg_hba_file_rules ORDER BY {order}
"""
CHANGED = """
SELECT max(extract(epoch FROM s.modification))::float8 AS at
  FROM unnest(%s::text[]) AS f(name), LATERAL pg_stat_file(f.name) AS s
"""


def hba(version_num: int) -> str:
    """Return the query of the rules; included files are told apart from PostgreSQL 16 on."""
    if version_num >= 160000:
        return HBA.format(file="file_name", order="rule_number NULLS LAST, line_number")
    return HBA.format(file="current_setting('hba_file')", order="line_number")
