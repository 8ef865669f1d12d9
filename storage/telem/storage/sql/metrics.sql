-- Every metric point as it was sent; to add up values use metric_increments, for some points are running totals.
CREATE OR REPLACE VIEW metrics AS
SELECT
    id,
    time,
    ingest_day,
    make_timestamp(epoch_us(time))::DATE AS utc_day, -- UTC day in which it was measured.
    received_at,
    client,
    metric,
    kind,
    temporality,
    monotonic,
    unit,
    description,
    make_timestamptz(epoch_us(time) - start_lag_us) AS start_time, -- Since when the point counts; NULL when not sent.
    value,
    value_int,
    count,
    sum,
    min,
    max,
    bucket_counts,
    explicit_bounds,
    exponential::JSON AS exponential, -- Exponential histograms: scale, zero_count, zero_threshold, positive, negative.
    quantiles::JSON AS quantiles, -- Summaries: list of quantile and value.
    exemplars::JSON AS exemplars, -- Exemplars.
    type,
    start_type,
    language,
    session_id,
    coalesce(user_email, account_id, user_id) AS "user", -- Who: pseudonym of the e-mail, else the account, else the installation.
    user_id,
    user_email,
    account_id,
    organization_id,
    team,
    chapter,
    project,
    repository,
    branch,
    agent_id,
    agent_name,
    model,
    query_source,
    effort,
    speed,
    tool_name,
    mcp_server,
    mcp_tool,
    skill_name,
    plugin_name,
    decision,
    decision_source,
    success,
    error_type,
    app_version,
    entrypoint,
    terminal_type,
    $attributes_of_metrics AS attributes, -- All attributes of the point, typed, under the client's own names.
    resource::JSON AS resource, -- Resource attributes.
    flags,
    time_from,
    metric_meta::JSON AS metric_meta, -- Metadata of the metric, if any.
    source,
    sample_ratio,
    scope_name,
    scope_version,
    scope_meta::JSON AS scope_meta, -- Schema URL, attributes and dropped count of the scope, if any.
    resource_meta::JSON AS resource_meta, -- Schema URL, entity references and dropped count of the resource, if any.
    seg
FROM raw_metrics;
