#!/usr/bin/env bash
# A ClickHouse login for a member who forwards there: ./member.sh NAME prints the password, this once.
set -euo pipefail
cd "$(dirname "$0")"
name=${1:?a name: letters, digits and underscores}
[[ $name =~ ^[A-Za-z][A-Za-z0-9_]{0,62}$ ]] || { echo "$name is no name for a login: letters, digits, underscores" >&2; exit 2; }
password=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
digest=$(printf %s "$password" | sha256sum | cut -d' ' -f1)
compose=${COMPOSE:-docker compose}
$compose exec -T clickhouse clickhouse-client --multiquery <<SQL
CREATE USER IF NOT EXISTS $name IDENTIFIED WITH sha256_hash BY '$digest' DEFAULT ROLE NONE;
ALTER USER $name IDENTIFIED WITH sha256_hash BY '$digest';
GRANT member TO $name;
ALTER USER $name DEFAULT ROLE member;
SQL
echo "$password"
