-- Where each session worked and since when: directory, worktree, branch, repository, project and chapter, as the hook of
-- `telem-agent setup` told them. One row for each change; the first one also stands for what came before it.
CREATE OR REPLACE VIEW session_context AS
WITH told AS (
    SELECT
        id,
        session_id,
        time,
        ingest_day,
        source,
        project,
        chapter,
        repository,
        branch,
        attributes ->> '$.worktree' AS worktree,
        attributes ->> '$.cwd' AS cwd
    FROM raw_logs
    WHERE event_name = 'session_context' AND source IS NOT NULL AND session_id IS NOT NULL
),

changes AS (
    SELECT
        session_id,
        time,
        ingest_day,
        source,
        project,
        chapter,
        repository,
        branch,
        worktree,
        cwd,
        lag(time) OVER told_in_order IS NULL AS is_first
    FROM told
    WINDOW told_in_order AS (PARTITION BY session_id ORDER BY time, id)
    QUALIFY
        is_first
        OR row(project, chapter, repository, branch, worktree, cwd)
        IS DISTINCT FROM lag(row(project, chapter, repository, branch, worktree, cwd)) OVER told_in_order
)

SELECT
    session_id,
    time, -- When it was told.
    ingest_day,
    source,
    CASE WHEN is_first THEN TIMESTAMPTZ '1970-01-01 00:00:00+00' ELSE time END
        AS valid_from, -- From when on it counts for the session's records; the first one counts from the beginning.
    coalesce(lead(time) OVER (PARTITION BY session_id ORDER BY time), TIMESTAMPTZ '9999-12-31 00:00:00+00')
        AS valid_until, -- Until when: that moment is not in it any more.
    project, -- Project: the tag, else the repository's name, else that of its folder.
    chapter, -- Chapter: the tag, else by the rules under `chapters` in config.toml.
    repository, -- Repository: address of its remote, without credentials.
    branch, -- Git branch; NULL on a detached head.
    worktree, -- Name of the linked worktree; NULL in the main one.
    cwd -- Working directory.
FROM changes;
