"""The hub's page: one answer without anything foreign in it, and without anything of anybody's.

What it shows it asks for with the token that is typed into it, over the interface that everything else uses. The token
stands in the page's memory only. Its policy lets run what is in it, by digest, and speak to where it came from.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING

from aiohttp import web

from telem.queries import canned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telem.queries.canned import Canned

_TYPES = {"text": "String", "choice": "String", "integer": "Int64", "number": "Float64", "date": "Date"}
_IMPLIED = {"since": ("DateTime64", "1970-01-01 00:00:00"), "since_day": ("Date", "1970-01-01")}


def wants(method: str, path: str, headers: Mapping[str, str], *, has_query: bool) -> bool:
    """Is this a browser that asks for the page? At `/` programs ask too, with a token or a statement."""
    if method != "GET" or "Authorization" in headers or has_query:
        return False
    return path == "/page" or (path == "/" and "text/html" in headers.get("Accept", ""))


def answer() -> web.Response:
    """Answer with the page."""
    text, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    return web.Response(status=HTTPStatus.OK, text=text, content_type="text/html", headers=headers)


@cache
def _page() -> tuple[str, str]:
    """The page and the policy that goes with it."""
    folder = resources.files(__package__) / "web"
    style, script, page = ((folder / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js", "html"))
    questions = json.dumps([_question(one) for one in canned.load().values()]).replace("<", "\\u003c")
    page = page.replace("/* css */", style).replace("/* questions */", questions).replace("/* js */", script)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    return page, policy


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _question(query: Canned) -> dict[str, object]:
    """A ready-made question as the page sends it: with types at its parameters, which HTTP wants."""
    types = {name: kind for name, (kind, _) in _IMPLIED.items()}
    types |= {item.name: _TYPES[item.type] for item in query.parameters}
    text = "\n".join(line for line in query.sql.splitlines() if not line.startswith("--"))
    used = set(re.findall(r"\$(\w+)", text))
    return {
        "title": query.title,
        "sentence": query.sentence,
        "sql": re.sub(r"\$(\w+)", lambda match: f"{{{match[1]}:{types[match[1]]}}}", text),
        "implied": {name: value for name, (_, value) in _IMPLIED.items() if name in used},
        "parameters": [
            {"name": item.name, "default": item.default, "sentence": item.sentence, "choices": item.choices}
            for item in query.parameters
        ],
    }
