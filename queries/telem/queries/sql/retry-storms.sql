-- Retry storms
-- Hours in which a session's requests failed again and again: attempts made, requests given up, and why.
-- param attempts: integer = 3: failed attempts within an hour that make a storm
-- param limit: integer = 50: rows at most
WITH storms AS (
    SELECT
        session_id,
        utc_hour,
        max("user") AS "user",
        string_agg(DISTINCT model, ', ' ORDER BY model) AS models,
        TRY_CAST(sum(greatest(coalesce(attempt, 1), 1)) AS BIGINT) AS failed_attempts,
        count(*) AS given_up,
        string_agg(DISTINCT status, ', ' ORDER BY status) AS statuses,
        max(error) AS an_error,
        min(time) AS first_error,
        max(time) AS last_error
    FROM (
        SELECT *, CAST(status_code AS VARCHAR) AS status
        FROM events
        WHERE ingest_day >= $since_day AND time >= $since AND event_type = 'api_error'
    ) AS failed
    GROUP BY session_id, utc_hour
)

SELECT
    utc_hour AS hour,
    session_id,
    "user",
    models,
    failed_attempts,
    given_up,
    statuses,
    an_error,
    first_error,
    last_error
FROM storms
WHERE failed_attempts >= $attempts
ORDER BY failed_attempts DESC, hour DESC, session_id
LIMIT $limit;
