-- Events with the project, chapter, repository and branch of their session where the record itself names none.
CREATE OR REPLACE VIEW placed_events AS
SELECT
    e.* EXCEPT (project, chapter, repository, branch),
    coalesce(e.project, c.project) AS project,
    coalesce(e.chapter, c.chapter) AS chapter,
    coalesce(e.repository, c.repository) AS repository,
    coalesce(e.branch, c.branch) AS branch
FROM events AS e
LEFT JOIN session_context AS c
    ON c.session_id = e.session_id AND e.time >= c.valid_from AND e.time < c.valid_until;
