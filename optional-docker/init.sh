#!/usr/bin/env bash
# Makes what the containers need and what is never committed: .env, and secrets below ./secrets (0700). Keeps what is there.
set -euo pipefail
cd "$(dirname "$0")"
umask 077

[ -e .env ] || { cp .env.template .env; echo "made .env; change HUB_NAME in it"; }
mkdir -p secrets/clickhouse

secret() { # NAME: a file with 32 random bytes in hex, unless there is one
  [ -s "secrets/$1" ] || { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"secrets/$1"; echo "made secrets/$1"; }
}
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

for name in grafana_admin clickhouse_administrator clickhouse_coordinator; do secret "$name"; done
[ -e secrets/hub_metrics ] || { : >secrets/hub_metrics; echo "secrets/hub_metrics is empty: put a token of the role admin there for Prometheus"; }
cat >secrets/clickhouse/passwords.xml <<XML
<clickhouse>
    <administrator>$(digest "$(cat secrets/clickhouse_administrator)")</administrator>
    <coordinator>$(digest "$(cat secrets/clickhouse_coordinator)")</coordinator>
    <team_reader>$(digest "$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')")</team_reader>
</clickhouse>
XML
# The containers read these as users of their own.
chmod 0755 secrets secrets/clickhouse
chmod 0644 secrets/clickhouse/passwords.xml secrets/grafana_admin secrets/clickhouse_coordinator secrets/hub_metrics
chmod 0600 secrets/clickhouse_administrator
