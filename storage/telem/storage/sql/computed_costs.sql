-- Requests whose client reported no cost, at list prices; those of models without a price are not in it.
-- A computed cost stands beside the reported ones and is never part of `cost_usd`.
CREATE OR REPLACE VIEW computed_costs AS
SELECT
    r.id AS id,
    r.time AS time,
    r.ingest_day AS ingest_day,
    r.utc_day AS utc_day,
    r.utc_hour AS utc_hour,
    r.client AS client,
    r.session_id AS session_id,
    r."user" AS "user",
    r.team AS team,
    r.chapter AS chapter,
    r.project AS project,
    r.repository AS repository,
    r.branch AS branch,
    r.prompt_id AS prompt_id,
    r.model AS model,
    r.query_source AS query_source,
    CAST(
        round(
            (
                coalesce(r.input_tokens, 0) * p.input_usd
                + coalesce(r.cache_read_tokens, 0) * p.cache_read_usd
                + (coalesce(r.cache_creation_tokens, 0) - coalesce(r.cache_creation_1h_tokens, 0)) * p.cache_write_5m_usd
                + coalesce(r.cache_creation_1h_tokens, 0) * p.cache_write_1h_usd
                + coalesce(r.output_tokens, 0) * p.output_usd
            ) / 1000000,
            9
        ) AS DECIMAL(18, 9)
    ) AS computed_cost_usd, -- [USD] Tokens at the list price.
    p.valid_from AS price_valid_from, -- Since when that price held.
    p.published_by AS price_published_by -- Whose list price it is.
FROM api_requests AS r
INNER JOIN model_prices AS p
    ON p.model = regexp_replace(r.model, '(-20[0-9]{6}|-20[0-9]{2}-[0-9]{2}-[0-9]{2})?(\[1m\])?$', '')
WHERE
    r.cost_usd IS NULL
    AND coalesce(r.total_input_tokens, r.output_tokens) IS NOT NULL
    AND r.utc_day >= p.valid_from AND r.utc_day < p.valid_until
    AND coalesce(r.total_input_tokens, 0) > p.input_above AND coalesce(r.total_input_tokens, 0) <= p.input_up_to
    AND coalesce(r.total_input_tokens, 0) < 1000000000000 AND coalesce(r.output_tokens, 0) < 1000000000000;
