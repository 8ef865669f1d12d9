-- Versions
-- Which clients and versions are in use, by how many, since when, and how they fare.
-- param limit: integer = 50: versions at most
SELECT
    client,
    app_version AS version,
    count(DISTINCT "user") AS users,
    count(DISTINCT session_id) AS sessions,
    count(*) AS events,
    round(
        100.0 * count(*) FILTER (WHERE event_type = 'api_error')
        / nullif(count(*) FILTER (WHERE event_type IN ('api_request', 'api_error')), 0), 2
    ) AS request_error_percent,
    min(time) AS first_seen,
    max(time) AS last_seen
FROM events
WHERE ingest_day >= $since_day AND time >= $since AND client IS NOT NULL
GROUP BY client, app_version
ORDER BY last_seen DESC, client, version NULLS LAST
LIMIT $limit;
