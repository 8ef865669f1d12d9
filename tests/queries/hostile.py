"""Statements that must not get far: the attacks of `attacks.txt`, and overloads made here."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("attacks.txt")


def attacks() -> list[str]:
    """Statements that must be refused, with places for the folder, the secret and the server in them."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    written = [line for line in lines if line and not line.startswith(("#", "["))]
    return [*written, "", *_LONG]


_LONG = [
    "SELECT " + "1+" * 40_000 + "1",
    "SELECT " + "(" * 2_000 + "1" + ")" * 2_000,
    "SELECT * FROM (" * 4_000 + "SELECT 1" + ")" * 4_000,
    "SELECT " + "[" * 5_000 + "]" * 5_000,
    "SELECT " + "-" * 9_999 + " 1",
    "SELECT " + "NOT " * 9_999 + "true",
    "SELECT 'x" + "y" * 70_000 + "'",
    "SELECT 1 /* \x00 */ + 1",
    "SELECT 1 WHERE 'a' = '\x00' ; DROP VIEW events",
]

OVERLOADS = [
    "SELECT count(*) FROM range(1000000000) a, range(1000000) b",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT length(lpad('x', 2000000000, 'y') || rpad('x', 2000000000, 'y'))",
    "SELECT repeat('x', 4000000000)",
    "SELECT length(repeat(repeat('x', 100000), 100000))",
    "SELECT range(1000000000)",
    "SELECT len(generate_series(1, 2000000000))",
    "SELECT list_resize([1], 2000000000)",
    "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "SELECT damerau_levenshtein(repeat('a', 20000), repeat('b', 20000))",
    "SELECT regexp_matches(repeat('a', 10000000), '(a+)+(a+)+b')",
    "SELECT list_sort(list_transform(range(300000000), lambda x: hash(x)))",
    "SELECT list(a.range) FROM range(500000000) a",
    "SELECT string_agg(repeat('x', 10000), ',') FROM range(10000000)",
    "SELECT a.range, count(*) FROM range(500000000) a GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1",
    "SELECT * FROM range(300000000) a ORDER BY hash(a.range) DESC LIMIT 200000000 OFFSET 1000",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM r) SELECT count(*) FROM r",
    "SELECT median(a.range * b.range) FROM range(100000) a, range(100000) b",
    "SELECT factorial(33), sum(sqrt(a.range)) FROM range(100000000000) a",
    "SELECT list_reduce(range(50000000), lambda x, y: (x * y) % 7)",
    "SELECT count(DISTINCT md5(a.range::VARCHAR)) FROM range(1000000000) a",
    "SELECT max(json_array_length(to_json(range(20000000))))",
    "SELECT array_to_string(list_transform(range(50000000), lambda x: x::VARCHAR), ',')",
    "SELECT printf('%02000000000d', 1)",
    "SELECT format('{:>2000000000}', 'x')",
    "SELECT bar(1, 0, 1, 2000000000)",
    "SELECT 1" + " UNION ALL SELECT 1" * 3_400,
    "SELECT '1'::VARCHAR || repeat('0', 300000000) ~ '^(0|1)*$'",
]
"""Statements that would hang or swell. Each must end by itself, by its error or by its death, and soon."""
