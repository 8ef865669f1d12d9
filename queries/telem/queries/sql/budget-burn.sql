-- Budget burn
-- A month's cost so far against an amount, and where it ends at the pace so far and at that of the last seven days.
-- param amount: number = 0: what the month may cost, in USD; 0 when there is no such amount
-- param day: date = today: the last day that counts; the month is the one it lies in
WITH calendar AS (
    SELECT
        CAST($day AS DATE) AS through_day,
        CAST(date_trunc('month', CAST($day AS DATE)) AS DATE) AS first_day,
        CAST(last_day(CAST($day AS DATE)) AS DATE) AS end_day
),

sums AS (
    SELECT
        sum(e.cost_usd) FILTER (WHERE e.utc_day >= c.first_day) AS spent,
        sum(e.cost_usd) FILTER (WHERE e.utc_day > c.through_day - 7) AS last_week,
        count(*) FILTER (WHERE e.utc_day >= c.first_day) AS requests,
        count(*) FILTER (WHERE e.utc_day >= c.first_day AND e.cost_usd IS NULL) AS unpriced,
        count(DISTINCT e.utc_day) FILTER (WHERE e.utc_day >= c.first_day) AS days_with_cost
    FROM events AS e CROSS JOIN calendar AS c
    WHERE
        e.ingest_day >= $since_day AND e.time >= $since AND e.event_type = 'api_request'
        AND e.ingest_day >= CAST($day AS DATE) - 38
        AND e.utc_day <= c.through_day AND (e.utc_day >= c.first_day OR e.utc_day > c.through_day - 7)
),

paces AS (
    SELECT
        c.first_day AS month,
        c.through_day AS through_day,
        s.requests,
        s.unpriced,
        s.days_with_cost,
        CAST(s.spent AS DOUBLE) AS spent,
        CAST(s.last_week AS DOUBLE) / 7 AS a_day,
        date_diff('day', c.first_day, c.through_day) + 1 AS days_gone,
        date_diff('day', c.through_day, c.end_day) AS days_left
    FROM sums AS s CROSS JOIN calendar AS c
    WHERE s.requests > 0
)

SELECT
    month,
    through_day,
    round(spent, 6) AS cost_usd,
    days_gone,
    days_left,
    round(spent / days_gone * (days_gone + days_left), 2) AS projected_usd,
    round(spent + a_day * days_left, 2) AS projected_at_last_week_usd,
    CASE WHEN $amount > 0 THEN $amount END AS budget_usd,
    CASE WHEN $amount > 0 THEN round(100 * spent / $amount, 1) END AS spent_percent,
    CASE WHEN $amount > 0 THEN round(100 * (spent / days_gone * (days_gone + days_left)) / $amount, 1) END
        AS projected_percent,
    CASE WHEN $amount > spent AND days_left > 0 THEN round(($amount - spent) / days_left, 2) END AS left_a_day_usd,
    requests,
    unpriced AS unpriced_requests
FROM paces;
