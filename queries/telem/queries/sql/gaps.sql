-- Gaps
-- Places where events of a client process are missing: a number in its sequence that never came.
-- param limit: integer = 50: gaps at most
WITH numbered AS (
    SELECT
        session_id,
        client,
        time,
        event_sequence,
        lag(time) OVER in_order AS time_before,
        lag(event_sequence) OVER in_order AS sequence_before
    FROM events
    WHERE
        ingest_day >= $since_day AND time >= $since
        AND event_sequence IS NOT NULL AND session_id IS NOT NULL
    WINDOW in_order AS (PARTITION BY session_id ORDER BY time, event_sequence)
)

SELECT
    session_id,
    client,
    time_before AS last_before,
    time AS first_after,
    event_sequence - sequence_before - 1 AS missing_events,
    round(date_diff('millisecond', time_before, time) / 1000.0, 1) AS seconds
FROM numbered
WHERE event_sequence > sequence_before + 1
ORDER BY missing_events DESC, first_after DESC, session_id
LIMIT $limit;
