SELECT * FROM (VALUES
('sonnet', 12::BIGINT, 1.5::DECIMAL(18,9), '2026-11-01 12:34:56Z'::TIMESTAMPTZ, E'first\nsecond', true, 1::UTINYINT),
('opus 漢字', 12345, NULL, NULL, '', NULL, 2)
) v(model, requests, cost, "at", said, ok, ord) ORDER BY ord
