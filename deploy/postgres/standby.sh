#!/bin/bash
# The standby: copies the primary the first time, then follows it. What is there it never touches: it may be the primary by now.
set -eu
if [ ! -d "$PGDATA" ]; then
  # of a copy that was broken off
  rm -rf "$PGDATA.new"
  PGPASSWORD="$MCM_POSTGRES_PASSWORD" pg_basebackup --pgdata="$PGDATA.new" --slot=standby --wal-method=stream \
    --checkpoint=fast --write-recovery-conf --dbname="host=postgres user=standby application_name=standby"
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres
