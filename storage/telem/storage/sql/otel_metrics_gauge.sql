-- Points of gauges in the columns of the OpenTelemetry Collector's ClickHouse exporter.
CREATE OR REPLACE VIEW otel_metrics_gauge AS
SELECT
    coalesce(CAST(resource AS JSON)::MAP(VARCHAR, VARCHAR), MAP {}) AS "ResourceAttributes", -- Resource attributes, as text.
    coalesce(resource_meta ->> '$.schema_url', '') AS "ResourceSchemaUrl", -- Schema URL of the resource.
    coalesce(scope_name, '') AS "ScopeName", -- Instrumentation scope.
    coalesce(scope_version, '') AS "ScopeVersion", -- Version of the scope.
    coalesce(CAST(scope_meta -> '$.attributes' AS MAP(VARCHAR, VARCHAR)), MAP {}) AS "ScopeAttributes", -- Attributes of the scope, as text.
    coalesce(TRY_CAST(scope_meta ->> '$.dropped_attributes_count' AS UINTEGER), 0) AS "ScopeDroppedAttrCount", -- Attributes of the scope the client dropped.
    coalesce(scope_meta ->> '$.schema_url', '') AS "ScopeSchemaUrl", -- Schema URL of the scope.
    coalesce(resource ->> '$."service.name"', '') AS "ServiceName", -- The resource's service.name; anybody can set it.
    coalesce(metric, '') AS "MetricName", -- Name of the metric.
    coalesce(description, '') AS "MetricDescription", -- Its description.
    coalesce(unit, '') AS "MetricUnit", -- Its unit.
    coalesce(CAST($attributes_of_metrics AS MAP(VARCHAR, VARCHAR)), MAP {}) AS "Attributes", -- Attributes of the point, as text.
    make_timestamptz(coalesce(epoch_us(time) - start_lag_us, 0)) AS "StartTimeUnix", -- Since when the point counts; 1970 when not sent.
    time AS "TimeUnix", -- When it was measured.
    coalesce(value, 0) AS "Value", -- Value of the point.
    (coalesce(flags, 0) & 4294967295)::UINTEGER AS "Flags", -- Flags of the point.
    [coalesce(CAST(e -> '$.attributes' AS MAP(VARCHAR, VARCHAR)), MAP {}) FOR e IN coalesce(CAST(exemplars::JSON AS JSON[]), [])]
        AS "Exemplars.FilteredAttributes", -- Exemplars: attributes.
    [
        make_timestamptz((TRY_CAST(e ->> '$.time_unix_nano' AS UBIGINT) // 1000)::BIGINT)
        FOR e IN coalesce(CAST(exemplars::JSON AS JSON[]), [])
    ] AS "Exemplars.TimeUnix", -- Exemplars: when.
    [
        coalesce(TRY_CAST(coalesce(e ->> '$.as_double', e ->> '$.as_int') AS DOUBLE), 0)
        FOR e IN coalesce(CAST(exemplars::JSON AS JSON[]), [])
    ] AS "Exemplars.Value", -- Exemplars: value.
    [coalesce(e ->> '$.span_id', '') FOR e IN coalesce(CAST(exemplars::JSON AS JSON[]), [])] AS "Exemplars.SpanId", -- Exemplars: span.
    [coalesce(e ->> '$.trace_id', '') FOR e IN coalesce(CAST(exemplars::JSON AS JSON[]), [])] AS "Exemplars.TraceId" -- Exemplars: trace.
FROM raw_metrics
WHERE kind = 'gauge';
