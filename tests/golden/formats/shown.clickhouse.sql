SELECT * FROM (
SELECT CAST('sonnet' AS Nullable(String)) AS model, CAST(12 AS Nullable(Int64)) AS requests, CAST('1.5' AS Nullable(Decimal(18, 9))) AS cost, CAST('2026-11-01 12:34:56' AS Nullable(DateTime64(6, 'UTC'))) AS at, CAST('first\nsecond' AS Nullable(String)) AS said, CAST(true AS Nullable(Bool)) AS ok, CAST(1 AS Nullable(UInt8)) AS ord
UNION ALL SELECT CAST('opus 漢字' AS Nullable(String)), CAST(12345 AS Nullable(Int64)), CAST(NULL AS Nullable(Decimal(18, 9))), CAST(NULL AS Nullable(DateTime64(6, 'UTC'))), CAST('' AS Nullable(String)), CAST(NULL AS Nullable(Bool)), CAST(2 AS Nullable(UInt8))
) ORDER BY ord
