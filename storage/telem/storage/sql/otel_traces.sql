-- Spans in the columns of the OpenTelemetry Collector's ClickHouse exporter; nested columns are lists of one length.
CREATE OR REPLACE VIEW otel_traces AS
SELECT
    time AS "Timestamp", -- When the span began.
    coalesce(trace_id, '') AS "TraceId", -- Trace, 32 hex digits.
    coalesce(span_id, '') AS "SpanId", -- Span, 16 hex digits.
    coalesce(parent_span_id, '') AS "ParentSpanId", -- Parent span; empty for a root.
    coalesce(trace_state, '') AS "TraceState", -- W3C trace state.
    coalesce(name, '') AS "SpanName", -- Name of the span.
    CASE kind
        WHEN 'internal' THEN 'Internal'
        WHEN 'server' THEN 'Server'
        WHEN 'client' THEN 'Client'
        WHEN 'producer' THEN 'Producer'
        WHEN 'consumer' THEN 'Consumer'
        ELSE 'Unspecified'
    END AS "SpanKind", -- Kind: Internal, Server, Client, Producer, Consumer or Unspecified.
    coalesce(resource ->> '$."service.name"', '') AS "ServiceName", -- The resource's service.name; anybody can set it.
    coalesce(CAST(resource AS JSON)::MAP(VARCHAR, VARCHAR), MAP {}) AS "ResourceAttributes", -- Resource attributes, as text.
    coalesce(scope_name, '') AS "ScopeName", -- Instrumentation scope.
    coalesce(scope_version, '') AS "ScopeVersion", -- Version of the scope.
    coalesce(CAST($attributes_of_traces AS MAP(VARCHAR, VARCHAR)), MAP {}) AS "SpanAttributes", -- Attributes, as text.
    greatest(coalesce(span_duration_ns, 0), 0)::UBIGINT AS "Duration", -- [ns] End less start.
    CASE status WHEN 'ok' THEN 'Ok' WHEN 'error' THEN 'Error' ELSE 'Unset' END AS "StatusCode", -- Unset, Ok or Error.
    coalesce(status_message, '') AS "StatusMessage", -- Its message, sanitized.
    [make_timestamptz((TRY_CAST(e ->> '$.time_unix_nano' AS UBIGINT) // 1000)::BIGINT) FOR e IN coalesce(CAST(events::JSON AS JSON[]), [])]
        AS "Events.Timestamp", -- Span events: when.
    [coalesce(e ->> '$.name', '') FOR e IN coalesce(CAST(events::JSON AS JSON[]), [])] AS "Events.Name", -- Span events: name.
    [coalesce(CAST(e -> '$.attributes' AS MAP(VARCHAR, VARCHAR)), MAP {}) FOR e IN coalesce(CAST(events::JSON AS JSON[]), [])] AS "Events.Attributes", -- Span events: attributes.
    [coalesce(e ->> '$.trace_id', '') FOR e IN coalesce(CAST(links::JSON AS JSON[]), [])] AS "Links.TraceId", -- Links: trace.
    [coalesce(e ->> '$.span_id', '') FOR e IN coalesce(CAST(links::JSON AS JSON[]), [])] AS "Links.SpanId", -- Links: span.
    [coalesce(e ->> '$.trace_state', '') FOR e IN coalesce(CAST(links::JSON AS JSON[]), [])] AS "Links.TraceState", -- Links: trace state.
    [coalesce(CAST(e -> '$.attributes' AS MAP(VARCHAR, VARCHAR)), MAP {}) FOR e IN coalesce(CAST(links::JSON AS JSON[]), [])] AS "Links.Attributes" -- Links: attributes.
FROM raw_traces;
