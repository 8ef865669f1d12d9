#!/usr/bin/env bash
# Stops everything. With --data it also removes the volumes, after asking for the word.
set -euo pipefail
cd "$(dirname "$0")"
compose=${COMPOSE:-docker compose}
if [ "${1:-}" = --data ]; then
  echo "This removes every member's telemetry on this machine, ClickHouse's tables, dashboards and series."
  echo "Laptops keep what is theirs. A backup: ./backup.sh FOLDER"
  if [ "${2:-}" != --yes ]; then
    read -r -p "Type 'remove' to go on: " word
    [ "$word" = remove ] || { echo "nothing was removed"; exit 1; }
  fi
  $compose --profile '*' down --volumes --remove-orphans
else
  $compose --profile '*' down --remove-orphans
  echo "Stopped; the data is still there. To remove it too: ./cleanup.sh --data"
fi
