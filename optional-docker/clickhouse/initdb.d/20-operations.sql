-- What the shared machine adds to the exporter's tables: whose a row is, how long it stays, who may read what, how much.
-- Runs once, when the volume is new, after 10-schema.sql. Each statement may be run again.

-- Whose a row is follows from the login it was inserted with. A MATERIALIZED column cannot be inserted into.
ALTER TABLE telemetry.otel_logs ADD COLUMN IF NOT EXISTS Member LowCardinality(String) MATERIALIZED currentUser();
ALTER TABLE telemetry.otel_traces ADD COLUMN IF NOT EXISTS Member LowCardinality(String) MATERIALIZED currentUser();
ALTER TABLE telemetry.otel_metrics_sum ADD COLUMN IF NOT EXISTS Member LowCardinality(String) MATERIALIZED currentUser();
ALTER TABLE telemetry.otel_metrics_gauge ADD COLUMN IF NOT EXISTS Member LowCardinality(String) MATERIALIZED currentUser();
ALTER TABLE telemetry.otel_metrics_histogram ADD COLUMN IF NOT EXISTS Member LowCardinality(String) MATERIALIZED currentUser();

-- Ninety days of raw rows, as the data usage policy says.
ALTER TABLE telemetry.otel_logs MODIFY TTL TimestampTime + INTERVAL 90 DAY;
ALTER TABLE telemetry.otel_traces MODIFY TTL toDateTime(Timestamp) + INTERVAL 90 DAY;
ALTER TABLE telemetry.otel_metrics_sum MODIFY TTL toDateTime(TimeUnix) + INTERVAL 90 DAY;
ALTER TABLE telemetry.otel_metrics_gauge MODIFY TTL toDateTime(TimeUnix) + INTERVAL 90 DAY;
ALTER TABLE telemetry.otel_metrics_histogram MODIFY TTL toDateTime(TimeUnix) + INTERVAL 90 DAY;

-- The same insert sent twice is stored once: the forwarder names each with a token.
ALTER TABLE telemetry.otel_logs MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE telemetry.otel_traces MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE telemetry.otel_metrics_sum MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE telemetry.otel_metrics_gauge MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE telemetry.otel_metrics_histogram MODIFY SETTING non_replicated_deduplication_window = 10000;

-- What a team adds up to, by days and for groups of three and more; no member, no session, no text.
CREATE OR REPLACE VIEW telemetry.team_daily
DEFINER = team_reader SQL SECURITY DEFINER
AS SELECT
    toDate(TimestampTime) AS day,
    uniqExact(Member) AS members,
    uniqExact(LogAttributes['session.id']) AS sessions,
    countIf(LogAttributes['event.name'] = 'user_prompt') AS prompts,
    countIf(LogAttributes['event.name'] = 'api_request') AS requests,
    countIf(LogAttributes['event.name'] = 'api_error') AS errors,
    sumIf(toUInt64OrZero(LogAttributes['input_tokens']), LogAttributes['event.name'] = 'api_request') AS input_tokens,
    sumIf(toUInt64OrZero(LogAttributes['cache_read_tokens']), LogAttributes['event.name'] = 'api_request') AS cache_read_tokens,
    sumIf(toUInt64OrZero(LogAttributes['cache_creation_tokens']), LogAttributes['event.name'] = 'api_request') AS cache_creation_tokens,
    sumIf(toUInt64OrZero(LogAttributes['output_tokens']), LogAttributes['event.name'] = 'api_request') AS output_tokens,
    sumIf(toDecimal64OrZero(LogAttributes['cost_usd'], 9), LogAttributes['event.name'] = 'api_request') AS cost_usd
FROM telemetry.otel_logs
GROUP BY day
HAVING members >= 3;

-- Roles. Logins of members are made by member.sh; each gets the role member and nothing else.
CREATE ROLE IF NOT EXISTS member SETTINGS PROFILE 'reader';
GRANT INSERT, SELECT ON telemetry.otel_logs TO member;
GRANT INSERT, SELECT ON telemetry.otel_traces TO member;
GRANT INSERT, SELECT ON telemetry.otel_metrics_sum TO member;
GRANT INSERT, SELECT ON telemetry.otel_metrics_gauge TO member;
GRANT INSERT, SELECT ON telemetry.otel_metrics_histogram TO member;
GRANT SELECT (event_time, user, client_name, query_kind, query, read_rows, result_rows, query_duration_ms, exception_code) ON system.query_log TO member;

CREATE ROLE IF NOT EXISTS coordinator SETTINGS PROFILE 'reader';
GRANT SELECT ON telemetry.team_daily TO coordinator;

CREATE ROW POLICY IF NOT EXISTS own_logs ON telemetry.otel_logs FOR SELECT USING Member = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS own_traces ON telemetry.otel_traces FOR SELECT USING Member = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS own_sums ON telemetry.otel_metrics_sum FOR SELECT USING Member = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS own_gauges ON telemetry.otel_metrics_gauge FOR SELECT USING Member = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS own_histograms ON telemetry.otel_metrics_histogram FOR SELECT USING Member = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS own_questions ON system.query_log FOR SELECT USING user = currentUser() TO member;
CREATE ROW POLICY IF NOT EXISTS all_logs ON telemetry.otel_logs FOR SELECT USING 1 TO team_reader, administrator;
CREATE ROW POLICY IF NOT EXISTS all_traces ON telemetry.otel_traces FOR SELECT USING 1 TO administrator;
CREATE ROW POLICY IF NOT EXISTS all_sums ON telemetry.otel_metrics_sum FOR SELECT USING 1 TO administrator;
CREATE ROW POLICY IF NOT EXISTS all_gauges ON telemetry.otel_metrics_gauge FOR SELECT USING 1 TO administrator;
CREATE ROW POLICY IF NOT EXISTS all_histograms ON telemetry.otel_metrics_histogram FOR SELECT USING 1 TO administrator;
CREATE ROW POLICY IF NOT EXISTS all_questions ON system.query_log FOR SELECT USING 1 TO administrator;

CREATE QUOTA IF NOT EXISTS member KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 2000, result_rows = 50000000, execution_time = 1200 TO member;
