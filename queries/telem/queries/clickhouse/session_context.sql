-- Where each session worked and since when, as the hook of `telem-agent setup` told it.
CREATE OR REPLACE VIEW session_context AS
SELECT
    session_id,
    time,
    if(is_first, toDateTime64('1970-01-01 00:00:00', 6, 'UTC'), time) AS valid_from,
    coalesce(
        leadInFrame(CAST(time AS Nullable(DateTime64(6, 'UTC')))) OVER (
            PARTITION BY session_id ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ),
        toDateTime64('2262-01-01 00:00:00', 6, 'UTC')
    ) AS valid_until,
    project,
    chapter,
    repository,
    branch
FROM (
    SELECT
        session_id,
        time,
        project,
        chapter,
        repository,
        branch,
        row_number() OVER told AS place,
        place = 1 AS is_first,
        concat_ws(
            '\n', coalesce(project, ''), coalesce(chapter, ''), coalesce(repository, ''), coalesce(branch, ''),
            attributes['worktree'], attributes['cwd']
        ) AS whereabouts,
        lagInFrame(whereabouts) OVER told AS whereabouts_before
    FROM events
    WHERE event = 'session_context' AND source IS NOT NULL AND session_id IS NOT NULL
    WINDOW told AS (PARTITION BY session_id ORDER BY time, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE is_first OR whereabouts != whereabouts_before;
