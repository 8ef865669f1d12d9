#!/usr/bin/env bash
# What only a machine with Docker can tell: builds the image, starts every profile, sends telemetry as a member, reads it
# back, checks who may not, restarts, backs up, and removes everything. Takes some minutes and two gigabytes of images.
# Uses a project of its own (telem-acceptance), so that a running hub is not touched.
set -euo pipefail
cd "$(dirname "$0")"
export COMPOSE_PROJECT_NAME=telem-acceptance HTTPS_BIND=127.0.0.1 HUB_NAME=localhost TLS_ISSUER=internal
compose=${COMPOSE:-docker compose}
step() { echo; echo "== $*"; }
finish() { step "removing what was made"; $compose --profile '*' down --volumes --remove-orphans >/dev/null 2>&1 || true; }
trap finish EXIT

step "secrets"; ./init.sh
step "images exist as pinned"; $compose --profile '*' pull --ignore-buildable
step "the hub's image builds"; $compose --profile hub build
step "every profile starts and becomes healthy"
$compose --profile '*' up -d --wait --wait-timeout 180
step "members"
token=$($compose exec -T hub telem-agent hub member add ada --home /data 2>/dev/null | tr -d '\r')
other=$($compose exec -T hub telem-agent hub member add ben --home /data 2>/dev/null | tr -d '\r')
step "a member sends and reads her own"
now=$(date +%s)000000000
body='{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"claude-code"}}]},"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":[{"timeUnixNano":"'$now'","body":{"stringValue":"claude_code.api_request"},"attributes":[{"key":"event.name","value":{"stringValue":"api_request"}},{"key":"session.id","value":{"stringValue":"acceptance"}},{"key":"model","value":{"stringValue":"claude-sonnet-4-5"}},{"key":"cost_usd","value":{"doubleValue":0.25}}]}]}]}]}'
ask() { curl -fsSk --max-time 30 -H "Authorization: Bearer $1" "https://localhost/" --data-binary "$2"; }
curl -fsSk -H "Authorization: Bearer $token" -H 'Content-Type: application/json' https://localhost/v1/logs --data-binary "$body"
[ "$(ask "$token" 'SELECT count(*) FROM api_requests')" = 1 ]
step "another member sees nothing of it"; [ "$(ask "$other" 'SELECT count(*) FROM api_requests')" = 0 ]
step "nobody without a token"; [ "$(curl -sk -o /dev/null -w '%{http_code}' https://localhost/ --data-binary 'SELECT 1')" = 401 ]
step "a restart loses nothing"; $compose restart hub; $compose up -d --wait hub; [ "$(ask "$token" 'SELECT count(*) FROM api_requests')" = 1 ]
step "ClickHouse: tables, logins, row policies"
password=$(./member.sh ada_login)
as_ada() { $compose exec -T clickhouse clickhouse-client --user ada_login --password "$password" --query "$1"; }
as_ada "INSERT INTO telemetry.otel_logs (Timestamp, EventName) VALUES (now64(9), 'api_request')"
[ "$(as_ada 'SELECT count() FROM telemetry.otel_logs')" = 1 ]
second=$(./member.sh ben_login)
[ "$($compose exec -T clickhouse clickhouse-client --user ben_login --password "$second" --query 'SELECT count() FROM telemetry.otel_logs')" = 0 ]
if as_ada "DROP TABLE telemetry.otel_logs"; then echo "a member dropped a table"; exit 1; fi
if as_ada "ALTER TABLE telemetry.otel_logs DELETE WHERE 1"; then echo "a member deleted rows"; exit 1; fi
step "a member forwards to ClickHouse through Caddy, as her login"
[ "$(curl -fsSk --max-time 30 -H 'X-ClickHouse-User: ada_login' -H "X-ClickHouse-Key: $password" https://localhost/clickhouse/ --data-binary 'SELECT count() FROM telemetry.otel_logs')" = 1 ]
step "the page is there, and tells nothing"; curl -fsSk -H 'Accept: text/html' https://localhost/ | grep -q 'telem-agent hub'
step "a purge in ClickHouse"; ./purge.sh ada_login all; [ "$(as_ada 'SELECT count() FROM telemetry.otel_logs')" = 0 ]
step "everything in order"; ./verify.sh
step "backup"; ./backup.sh "$(mktemp -d)"
step "ACCEPTED"
