#!/usr/bin/env bash
# A member's request to have rows taken out of ClickHouse, done by whoever runs it; members' logins may not delete.
#   ./purge.sh LOGIN session ID | before YYYY-MM-DD | all          prints what went, for the member: her receipt
set -euo pipefail
cd "$(dirname "$0")"
compose=${COMPOSE:-docker compose}
login=${1:?a login, as member.sh made it} kind=${2:?session ID, before DAY, or all} value=${3:-}
[[ $login =~ ^[A-Za-z][A-Za-z0-9_]{0,62}$ ]] || { echo "$login is no login" >&2; exit 2; }
ask() { $compose exec -T clickhouse clickhouse-client --param_login "$login" --param_value "$value" --query "$1"; }
for place in otel_logs:LogAttributes:Timestamp otel_traces:SpanAttributes:Timestamp \
  otel_metrics_sum:Attributes:TimeUnix otel_metrics_gauge:Attributes:TimeUnix otel_metrics_histogram:Attributes:TimeUnix; do
  IFS=: read -r table attributes time <<<"$place"
  case $kind in
    session) condition="$attributes['session.id'] = {value:String}" ;;
    before) condition="$time < {value:Date}" ;;
    all) condition="1" ;;
    *) echo "say session ID, before DAY, or all" >&2; exit 2 ;;
  esac
  [ "$kind" = all ] || [ -n "$value" ] || { echo "$kind of what?" >&2; exit 2; }
  condition="Member = {login:String} AND $condition"
  rows=$(ask "SELECT count() FROM telemetry.$table WHERE $condition")
  [ "$rows" = 0 ] || ask "ALTER TABLE telemetry.$table DELETE WHERE $condition SETTINGS mutations_sync = 2"
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $login $kind $table $rows rows"
done
