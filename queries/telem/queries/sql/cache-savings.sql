-- Cache savings
-- How much of the input came from the cache, and what that saved at list prices, writing to the cache set against it.
-- param by: model | user | team | chapter | repository | day | session | client = model: what a row stands for
-- param limit: integer = 50: rows at most
WITH requests AS (
    SELECT
        CASE $by
            WHEN 'model' THEN r.model
            WHEN 'user' THEN r."user"
            WHEN 'team' THEN r.team
            WHEN 'chapter' THEN r.chapter
            WHEN 'repository' THEN r.repository
            WHEN 'day' THEN CAST(r.utc_day AS VARCHAR)
            WHEN 'session' THEN r.session_id
            WHEN 'client' THEN r.client
        END AS "by",
        r.model,
        r.utc_day,
        CASE WHEN r.total_input_tokens > 100000 THEN 1 ELSE 0 END AS is_long,
        count(*) AS requests,
        sum(CAST(r.total_input_tokens AS DOUBLE)) AS whole_input,
        sum(CAST(r.cache_read_tokens AS DOUBLE)) AS from_cache,
        sum(CAST(r.cache_creation_tokens AS DOUBLE)) AS into_cache,
        sum(CAST(coalesce(r.cache_creation_1h_tokens, 0) AS DOUBLE)) AS into_cache_1h,
        sum(r.cost_usd) AS cost
    FROM api_requests AS r
    WHERE r.ingest_day >= $since_day AND r.time >= $since
    GROUP BY 1, 2, 3, 4
),

saved AS (
    SELECT
        r."by",
        sum(
            r.from_cache * (p.input_usd - p.cache_read_usd)
            - (r.into_cache - r.into_cache_1h) * (p.cache_write_5m_usd - p.input_usd)
            - r.into_cache_1h * (p.cache_write_1h_usd - p.input_usd)
        ) / 1000000 AS saved_usd,
        TRY_CAST(sum(r.requests) AS BIGINT) AS priced_requests
    FROM requests AS r
    INNER JOIN model_prices AS p
        ON p.model = regexp_replace(r.model, '(-20[0-9]{6}|-20[0-9]{2}-[0-9]{2}-[0-9]{2})?(\[1m\])?$', '')
    WHERE
        r.utc_day >= p.valid_from AND r.utc_day < p.valid_until
        AND ((r.is_long = 1 AND p.input_up_to > 100000) OR (r.is_long = 0 AND p.input_above < 100000))
    GROUP BY r."by"
),

sums AS (
    SELECT
        "by",
        TRY_CAST(sum(requests) AS BIGINT) AS requests,
        sum(whole_input) AS whole_input,
        sum(from_cache) AS from_cache,
        sum(into_cache) AS into_cache,
        sum(cost) AS cost_usd
    FROM requests
    GROUP BY "by"
)

SELECT
    s."by" AS "by",
    s.requests AS requests,
    round(100 * s.from_cache / nullif(s.whole_input, 0), 1) AS cache_read_percent,
    round(100 * s.into_cache / nullif(s.whole_input, 0), 1) AS cache_write_percent,
    round(s.from_cache / nullif(s.into_cache, 0), 1) AS reads_per_write,
    s.cost_usd AS cost_usd,
    round(v.saved_usd, 6) AS saved_usd,
    s.requests - coalesce(v.priced_requests, 0) AS requests_without_price
FROM sums AS s
LEFT JOIN saved AS v ON coalesce(v."by", '') = coalesce(s."by", '')
ORDER BY saved_usd DESC NULLS LAST, requests DESC, "by" NULLS LAST
LIMIT $limit;
