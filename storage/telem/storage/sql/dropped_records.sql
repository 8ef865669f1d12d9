-- Records that were not stored on purpose: one row for each UTC day, client, event and rule. Counts only.
CREATE OR REPLACE VIEW dropped_records AS
SELECT
    day, -- UTC day in which they arrived.
    client, -- Client that sent them; empty when unknown.
    event, -- Their event, span or metric.
    rule, -- Rule by which they are noise; `sampling`, or `purged` for what a purge keeps from coming back.
    "count" -- Records.
FROM $dropped_records;
