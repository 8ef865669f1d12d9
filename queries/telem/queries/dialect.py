"""The ready-made questions in ClickHouse's words (pure).

They are written once, in SQL that both engines read but for a few functions. Those are rewritten here, one rule each.
The settings at the end make ClickHouse count as SQL does: sums of nothing are NULL, a name in an expression is a column
before it is an alias, and what a left join does not find is NULL. A user who may not change settings (`readonly = 1`)
needs a profile with these.

python -m telem.queries.dialect [NAME …]    prints questions in their ClickHouse form
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .canned import Canned

SETTINGS = {
    "aggregate_functions_null_for_empty": 1,
    "cast_keep_nullable": 1,
    "join_use_nulls": 1,
    "prefer_column_name_to_alias": 1,
}

_TYPES = {
    "text": "String",
    "choice": "String",
    "integer": "Int64",
    "number": "Float64",
    "date": "Date",
}
_IMPLIED = {"since": "DateTime64(6, 'UTC')", "since_day": "Date"}
_ATTRIBUTE = re.compile(r"""attributes ->> '\$\.(?:"([^"]+)"|(\w+))'""")
_MEMBER = re.compile(r"(\w+) ->> '\$\.(\w+)'")
_LISTED = re.compile(r"list_sort\(list\(DISTINCT (\w+)\) FILTER \(WHERE ([^()]+)\)\)")
_JOINED = re.compile(r"string_agg\(DISTINCT (\w+), (', ') ORDER BY \1\)")


def for_clickhouse(query: Canned) -> str:
    """The statement for ClickHouse, with `{name:Type}` for its parameters."""
    types = _IMPLIED | {item.name: _TYPES[item.type] for item in query.parameters}
    text = re.sub(r"\$(\w+)", lambda match: f"{{{match[1]}:{types[match[1]]}}}", rewritten(query.sql))
    return with_settings(text)


def with_settings(sql: str) -> str:
    """The statement with the settings under which ClickHouse counts as SQL does."""
    return f"{sql}\nSETTINGS {', '.join(f'{name} = {value}' for name, value in SETTINGS.items())}"


def rewritten(sql: str) -> str:
    """DuckDB's SQL, as far as the questions and views use it, in ClickHouse's functions; parameters are left alone."""
    text = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    text = _ATTRIBUTE.sub(lambda match: f"nullIf(attributes['{match[1] or match[2]}'], '')", text)
    text = _MEMBER.sub(r"nullIf(JSONExtractString(\1, '\2'), '')", text)
    text = _JOINED.sub(r"nullIf(arrayStringConcat(arraySort(groupUniqArray(\1)), \2), '')", text)
    text = _LISTED.sub(r"arraySort(groupUniqArrayIf(\1, \2))", text)
    for name, write in _CALLS.items():
        text = _replace_calls(text, name, write)
    return text


def _quantile(level: str, values: str) -> str:
    return f"quantileExactInclusive({level})({values})"


def _round(parts: list[str]) -> str:
    """Half away from zero, as SQL rounds; ClickHouse rounds floating point numbers half to even."""
    value, digits = (*parts, "0")[:2]
    number = f"CAST({value} AS DOUBLE)"
    return f"(sign({number}) * floor(abs({number}) * 1e{digits} + 0.5) / 1e{digits})"


def _try_cast(parts: list[str]) -> str:
    value, _, kind = parts[0].rpartition(" AS ")
    if "attributes[" in value:
        reader = {"BIGINT": "toInt64OrNull", "DOUBLE": "toFloat64OrNull"}[kind]
        return f"{reader}({value})"
    return f"accurateCastOrNull({value}, '{ {'BIGINT': 'Int64', 'DOUBLE': 'Float64'}[kind] }')"


_CALLS: dict[str, Callable[[list[str]], str]] = {
    "round": _round,
    "TRY_CAST": _try_cast,
    "quantile_cont": lambda parts: _quantile(parts[1], parts[0]),
    "median": lambda parts: _quantile("0.5", parts[0]),
    "arg_max": lambda parts: f"argMax({parts[0]}, {parts[1]})",
    "isodow": lambda parts: f"toDayOfWeek({parts[0]})",
    "json_valid": lambda parts: f"isValidJSON({parts[0]})",
}


def _replace_calls(text: str, name: str, write: Callable[[list[str]], str]) -> str:
    """Replace every call of a function, from the innermost on; arguments may hold calls and commas of their own."""
    pattern = re.compile(rf"\b{name}\(")
    while found := list(pattern.finditer(text)):
        last = found[-1]
        parts, end = _arguments(text, last.end())
        text = text[: last.start()] + write(parts) + text[end:]
    return text


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose parenthesis ends at `start`, and where the text goes on behind it."""
    depth, parts, begin, quoted = 0, [], start, False
    for index in range(start, len(text)):
        character = text[index]
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([":
            depth += 1
        elif character in ")]" and depth:
            depth -= 1
        elif character == "," and not depth:
            parts.append(text[begin:index].strip())
            begin = index + 1
        elif character == ")":
            return [*parts, text[begin:index].strip()], index + 1
    raise ValueError(f"a parenthesis is not closed: {text[start:]}")


def main() -> None:
    """Print the ClickHouse form of the questions named, of all without a name."""
    from .canned import find, load

    for name in sys.argv[1:] or load():
        sys.stdout.write(f"-- {name}\n{for_clickhouse(find(name))};\n\n")


if __name__ == "__main__":
    main()
