-- The same as usage_facts: nothing is rolled up on ClickHouse.
CREATE OR REPLACE VIEW usage_days AS
SELECT *
FROM usage_facts;
