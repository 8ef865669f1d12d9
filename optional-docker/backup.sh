#!/usr/bin/env bash
# A backup of the hub, and of ClickHouse if it runs: ./backup.sh FOLDER. Both go on working meanwhile.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
compose=${COMPOSE:-docker compose}
to=${1:?a folder for the backup}
mkdir -p "$to"
day=$(date -u +%Y-%m-%d)
$compose exec -T hub tar -C /data -cf - hub token config.toml 2>/dev/null >"$to/hub-$day.tar" || [ -s "$to/hub-$day.tar" ]
for home in $($compose exec -T hub sh -c 'ls -d /data/members/*/ 2>/dev/null' | tr -d '\r'); do
  name=$(basename "$home")
  $compose exec -T hub telem-agent backup --home "$home" --with-key - >"$to/$name-$day.tar.zst"
  echo "$to/$name-$day.tar.zst"
done
if [ -n "$($compose ps --status running -q clickhouse 2>/dev/null)" ]; then
  $compose exec -T clickhouse clickhouse-client --query "SELECT * FROM telemetry.otel_logs FORMAT Parquet" >"$to/otel_logs-$day.parquet"
  $compose exec -T clickhouse clickhouse-client --query "SELECT * FROM telemetry.otel_traces FORMAT Parquet" >"$to/otel_traces-$day.parquet"
  $compose exec -T clickhouse clickhouse-client --query "SELECT * FROM telemetry.otel_metrics_sum FORMAT Parquet" >"$to/otel_metrics_sum-$day.parquet"
fi
echo "done: $to. It holds what the hub holds; keep it where you would keep the hub."
