-- Redactions
-- What the sanitizer replaced, by rule, attribute or day. Counts only: no value is kept anywhere.
-- param by: rule | attribute | day = rule: what a row stands for
-- param limit: integer = 50: rows at most
WITH counted AS (
    SELECT
        CASE $by WHEN 'rule' THEN rule WHEN 'attribute' THEN attribute WHEN 'day' THEN CAST(day AS VARCHAR) END AS "by",
        day,
        rule,
        attribute,
        "count" AS replaced
    FROM sanitizer_audit
    WHERE day >= CAST($since AS DATE)
)

SELECT
    "by",
    TRY_CAST(sum(replaced) AS BIGINT) AS replacements,
    count(DISTINCT rule) AS rules,
    count(DISTINCT attribute) AS attributes,
    min(day) AS first_day,
    max(day) AS last_day
FROM counted
GROUP BY "by"
ORDER BY replacements DESC, "by"
LIMIT $limit;
