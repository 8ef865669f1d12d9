-- Every question that was asked: who, when, from where, and what came of it; never anything of an answer. The owner's alone.
CREATE OR REPLACE VIEW access_log AS
SELECT
    n, -- Number of the line in the log, from 1, without gaps.
    "time", -- When the question came.
    "time"::DATE AS "day", -- UTC day.
    caller, -- `owner`, the name of a program's token, or the user of this machine who ran a command; empty for a wrong token.
    via, -- `http`, or by which of our own programs: `cli`, `mcp`, `report`.
    address, -- Address it came from, for `http`; for `mcp` the client, as it calls itself.
    query_id, -- Id that the client gave, or was given.
    statement, -- The statement as it was asked, through the sanitizer: what must not be stored is not stored here either.
    format, -- Format of the answer.
    outcome, -- `answered`, `refused` (before anything was read), `stopped` (time or memory), `failed`, or `gone` (nobody waited for it).
    problem, -- Kind of error, if there was one.
    "rows", -- Rows that were answered.
    bytes, -- [bytes] Size of the answer before compression.
    elapsed_ms -- [ms] From the question to the end of the answer.
FROM $access_log
WHERE n IS NOT NULL;
