#!/bin/sh
# Every example of docs/contracts/query-api.md, against a running daemon: sh queries/examples.sh [http://localhost:8123]
# It stops at the first that fails. A test runs it.
set -eu

URL=${1:-http://localhost:8123}
TOKEN=${TELEM_TOKEN:-$(telem-agent token)}

ask() { # a curl with the token; fails on an error status
    curl --silent --show-error --fail-with-body --header "Authorization: Bearer $TOKEN" "$@"
}
title() { printf '\n== %s\n' "$1" >&2; }

title 'Is anybody there?'
curl --silent --fail "$URL/ping"

title 'Ten events, tabs between the columns'
ask --get "$URL/" --data-urlencode 'query=SELECT * FROM telemetry_events LIMIT 10'

title 'The statement as the body; a table for reading'
ask "$URL/" --data 'SELECT model, count(*) AS requests, sum(cost_usd) AS cost_usd FROM api_requests GROUP BY model FORMAT Pretty'

title 'The same, one object a line'
ask "$URL/?default_format=JSONEachRow" --data 'SELECT model, sum(cost_usd) AS cost_usd FROM api_requests GROUP BY model'

title 'The format in a header'
ask "$URL/" --header 'X-ClickHouse-Format: CSVWithNames' --data 'SELECT event_type, count(*) AS n FROM events GROUP BY 1'

title 'Half in the URL, half in the body'
ask "$URL/?query=SELECT+count(*)+FROM" --data 'events WHERE event_type IS NOT NULL'

title 'Bound parameters'
ask "$URL/?param_model=claude-sonnet-4-5&param_days=7" \
    --data 'SELECT count(*) FROM api_requests WHERE model = {model:String} AND time >= now() - {days:UInt16} * INTERVAL 1 DAY'
ask "$URL/" --get --data-urlencode 'query=SELECT * FROM {table:Identifier} LIMIT 1 FORMAT Vertical' --data 'param_table=sessions'

title 'Limits, as arguments and as settings'
ask "$URL/?max_execution_time=5&max_result_rows=3&result_overflow_mode=break" --data 'SELECT time, event FROM events'
ask "$URL/" --data "SELECT time, event FROM events SETTINGS max_result_rows = 3, result_overflow_mode = 'break' FORMAT Markdown"

title 'ClickHouse clients send user and key, or a basic login'
curl --silent --fail-with-body "$URL/" --header 'X-ClickHouse-User: default' --header "X-ClickHouse-Key: $TOKEN" --data 'SELECT 1'
curl --silent --fail-with-body "$URL/" --user "default:$TOKEN" --data 'SELECT 1'

title 'Packed on the way, both ways'
ask --compressed "$URL/" --data 'SELECT * FROM events FORMAT JSONCompact' | tail -c 120
printf 'SELECT 1' | gzip | ask "$URL/" --header 'Content-Encoding: gzip' --data-binary @-

title 'Parquet for another program'
ask "$URL/" --data 'SELECT * FROM sessions FORMAT Parquet' | head -c 4
echo

title 'What is in a table, and which tables there are'
ask "$URL/" --data 'DESCRIBE sessions'
ask "$URL/" --data 'SHOW TABLES'

title 'An error has a code, a place and a status'
status=$(curl --silent --output /dev/stderr --write-out '%{http_code}' --header "Authorization: Bearer $TOKEN" "$URL/" --data 'SELEC 1')
test "$status" = 400

title 'What does more than read is refused'
status=$(curl --silent --output /dev/stderr --write-out '%{http_code}' --header "Authorization: Bearer $TOKEN" "$URL/" --data 'DROP VIEW events')
test "$status" = 403

title 'Without a token it says what to do'
status=$(curl --silent --output /dev/stderr --write-out '%{http_code}' "$URL/?query=SELECT+1")
test "$status" = 401

title 'All of them were answered as they should be'
