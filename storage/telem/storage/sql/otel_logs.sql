-- Log records in the columns of the OpenTelemetry Collector's ClickHouse exporter.
-- Times are TIMESTAMPTZ (microseconds), so that they compare with now() in every time zone; nothing is NULL there.
CREATE OR REPLACE VIEW otel_logs AS
SELECT
    time AS "Timestamp", -- When it happened.
    make_timestamptz(epoch_us(time) // 1000000 * 1000000) AS "TimestampTime", -- The same, in whole seconds.
    coalesce(trace_id, '') AS "TraceId", -- Trace, 32 hex digits.
    coalesce(span_id, '') AS "SpanId", -- Span, 16 hex digits.
    (coalesce(flags, 0) & 255)::UTINYINT AS "TraceFlags", -- W3C trace flags.
    coalesce(severity_text, '') AS "SeverityText", -- Severity as the client calls it.
    greatest(least(coalesce(severity_number, 0), 255), 0)::UTINYINT AS "SeverityNumber", -- OTLP severity.
    coalesce(resource ->> '$."service.name"', '') AS "ServiceName", -- The resource's service.name; anybody can set it.
    coalesce(body, '') AS "Body", -- Body as text.
    coalesce(resource_meta ->> '$.schema_url', '') AS "ResourceSchemaUrl", -- Schema URL of the resource.
    coalesce(CAST(resource AS JSON)::MAP(VARCHAR, VARCHAR), MAP {}) AS "ResourceAttributes", -- Resource attributes, as text.
    coalesce(scope_meta ->> '$.schema_url', '') AS "ScopeSchemaUrl", -- Schema URL of the scope.
    coalesce(scope_name, '') AS "ScopeName", -- Instrumentation scope.
    coalesce(scope_version, '') AS "ScopeVersion", -- Version of the scope.
    coalesce(CAST(scope_meta -> '$.attributes' AS MAP(VARCHAR, VARCHAR)), MAP {}) AS "ScopeAttributes", -- Attributes of the scope, as text.
    coalesce(CAST($attributes_of_logs AS MAP(VARCHAR, VARCHAR)), MAP {}) AS "LogAttributes", -- Attributes, as text.
    coalesce(otlp_event_name, '') AS "EventName" -- The event_name field as sent; Claude Code leaves it empty.
FROM raw_logs;
