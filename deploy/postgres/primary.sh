#!/bin/bash
# Runs once, when the primary's folder is made: the nodes' role and database, the standby's role and place.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$MCM_POSTGRES_PASSWORD" --username="$POSTGRES_USER" <<'SQL'
CREATE ROLE mcm LOGIN PASSWORD :'password';
-- so that nodes can tell how far the standby is
GRANT pg_read_all_stats TO mcm;
CREATE DATABASE mcm OWNER mcm;
CREATE ROLE standby LOGIN REPLICATION PASSWORD :'password';
SELECT pg_create_physical_replication_slot('standby');
-- Not a flag of the server: this one would wait for the standby already, which waits for this one.
ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (standby)';
SQL
echo "host replication standby samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
