-- Every point of sums, gauges and histograms as it was sent; to add up values use metric_increments.
CREATE OR REPLACE VIEW metrics AS
SELECT
    lower(hex(cityHash64(attributes, resource, time, start_time, metric, ifNull(value, 0)))) AS id,
    *,
    toDate(time) AS ingest_day,
    toDate(time) AS utc_day,
    coalesce(user_email, account_id, user_id) AS `user`
FROM (
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        $metric_client AS client,
        MetricName AS metric,
        'sum' AS kind,
        nullIf(transform(AggregationTemporality, [1, 2], ['delta', 'cumulative'], ''), '') AS temporality,
        IsMonotonic AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(Value AS Nullable(Float64)) AS value,
        CAST(NULL AS Nullable(UInt64)) AS `count`,
        CAST(NULL AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        $reads_of_metrics
    FROM otel_metrics_sum
    UNION ALL
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        $metric_client AS client,
        MetricName AS metric,
        'gauge' AS kind,
        CAST(NULL AS Nullable(String)) AS temporality,
        false AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(Value AS Nullable(Float64)) AS value,
        CAST(NULL AS Nullable(UInt64)) AS `count`,
        CAST(NULL AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        $reads_of_metrics
    FROM otel_metrics_gauge
    UNION ALL
    SELECT
        toDateTime64(TimeUnix, 6, 'UTC') AS time,
        $metric_client AS client,
        MetricName AS metric,
        'histogram' AS kind,
        nullIf(transform(AggregationTemporality, [1, 2], ['delta', 'cumulative'], ''), '') AS temporality,
        false AS monotonic,
        nullIf(MetricUnit, '') AS unit,
        toDateTime64(StartTimeUnix, 6, 'UTC') AS start_time,
        CAST(NULL AS Nullable(Float64)) AS value,
        CAST(Count AS Nullable(UInt64)) AS `count`,
        CAST(Sum AS Nullable(Float64)) AS `sum`,
        Attributes AS attributes,
        ResourceAttributes AS resource,
        ScopeName AS scope_name,
        ScopeVersion AS scope_version,
        $reads_of_metrics
    FROM otel_metrics_histogram
);
