#!/usr/bin/env bash
# Is everything that runs here in order? Read-only; prints a line for each thing and ends with 1 if one is not.
set -uo pipefail
cd "$(dirname "$0")"
compose=${COMPOSE:-docker compose}
failed=0
check() { # SENTENCE COMMAND…
  local sentence=$1; shift
  if "$@" >/dev/null 2>&1; then echo "ok    $sentence"; else echo "WRONG $sentence"; failed=1; fi
}
is_up() { [ -n "$($compose ps --status running -q "$1" 2>/dev/null)" ]; }

check ".env is here (else: ./init.sh)" test -s .env
check "the compose file is valid" $compose config -q
check "no secret is readable by others than needed" test -z "$(find secrets -name 'clickhouse_administrator' -perm /077 2>/dev/null)"
if is_up hub; then
  check "the hub says that it runs" $compose exec -T hub telem-agent status
  check "the hub's files are whole" $compose exec -T hub sh -c 'for home in /data/members/*/; do telem-agent verify --home "$home" || exit 1; done'
  check "the hub runs as nobody in particular" $compose exec -T hub sh -c 'test "$(id -u)" = 10001'
fi
if is_up tls; then
  # shellcheck disable=SC1091
  . ./.env
  check "TLS answers under the name ${HUB_NAME}" curl -fsS --max-time 5 ${TLS_CA:+--cacert "$TLS_CA"} "https://${HUB_NAME}/ping"
  check "without a token nothing is told" test "$(curl -s -o /dev/null -w '%{http_code}' -k --max-time 5 "https://${HUB_NAME}/status")" = 401
fi
if is_up clickhouse; then
  check "ClickHouse answers" $compose exec -T clickhouse clickhouse-client --query 'SELECT 1'
  check "the tables are there" $compose exec -T clickhouse clickhouse-client --query 'SELECT count() FROM telemetry.otel_logs'
  check "rows go after ninety days" $compose exec -T clickhouse sh -c "clickhouse-client --query 'SHOW CREATE TABLE telemetry.otel_logs' | grep -q 'toIntervalDay(90)'"
fi
is_up grafana && check "Grafana answers" $compose exec -T grafana wget -q --spider http://127.0.0.1:3000/api/health
is_up prometheus && check "Prometheus answers" $compose exec -T prometheus wget -q --spider http://127.0.0.1:9090/-/ready
exit $failed
