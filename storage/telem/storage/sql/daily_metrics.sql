-- One row for each UTC day, user, team, chapter, repository, branch, client, model and query source.
-- All but `sessions` may be added up; what knows no model (prompts, tools, lines) stands in rows without one.
CREATE OR REPLACE VIEW daily_metrics AS
SELECT
    day,
    "user",
    team,
    chapter,
    repository,
    branch,
    client,
    model,
    query_source,
    count(DISTINCT session_id) AS sessions, -- Distinct sessions; a session counts in every row it touches.
    TRY_CAST(sum(prompts) AS BIGINT) AS prompts, -- Prompts; NULL when only metrics arrived, as for the following.
    TRY_CAST(sum(requests) AS BIGINT) AS requests, -- Answered requests to a model.
    TRY_CAST(sum(errors) AS BIGINT) AS errors, -- Requests given up.
    TRY_CAST(sum(tool_calls) AS BIGINT) AS tool_calls, -- Tools that ran.
    TRY_CAST(sum(failed_tool_calls) AS BIGINT) AS failed_tool_calls, -- Of these, those that failed.
    TRY_CAST(sum(rejected_tool_calls) AS BIGINT) AS rejected_tool_calls, -- Tool calls rejected; they never ran.
    TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens, -- [tokens] Fresh input; NULL when no request told.
    TRY_CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens, -- [tokens] Input read from the cache.
    TRY_CAST(sum(cache_creation_tokens) AS BIGINT) AS cache_creation_tokens, -- [tokens] Input written to the cache.
    TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens, -- [tokens] Output, reasoning included.
    sum(cost_usd) AS cost_usd, -- [USD] Cost as the clients reported it; NULL when none was reported.
    TRY_CAST(sum(unpriced_requests) AS BIGINT) AS unpriced_requests, -- Requests without a reported cost: what `cost_usd` leaves out.
    round(sum(active_seconds), 3) AS active_seconds, -- [s] Active time; NULL when no metrics arrived, as for the following.
    TRY_CAST(round(sum(lines_added)) AS BIGINT) AS lines_added, -- Lines added.
    TRY_CAST(round(sum(lines_removed)) AS BIGINT) AS lines_removed, -- Lines removed.
    TRY_CAST(round(sum(commits)) AS BIGINT) AS commits, -- Commits.
    TRY_CAST(round(sum(pull_requests)) AS BIGINT) AS pull_requests, -- Pull requests.
    min(sample_ratio) AS sample_ratio -- Smallest share of sessions kept of any type counted here; NULL: all of them. Tokens and cost are never sampled.
FROM usage_days
GROUP BY day, "user", team, chapter, repository, branch, client, model, query_source;
