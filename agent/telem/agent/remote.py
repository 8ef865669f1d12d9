"""Asking a hub: the same question, the same frames, over the destination that this home forwards to."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telem.queries.table import Problem, QueryError

from .errors import AgentError
from .forward.destinations import names, read
from .forward.sender import context_of, headers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.storage.layout import Layout

    from .forward.destinations import Destination


def hub(layout: Layout, name: str) -> Destination:
    """The destination of this name, if it is a hub.

    Raises:
        AgentError: there is none of this name, or it cannot be asked.
    """
    if name not in names(layout):
        known = ", ".join(names(layout)) or "none yet"
        raise AgentError(f"there is no destination {name!r}", f"There are: {known}. Add one: telem-agent forward add")
    destination = read(layout, name)
    if destination.kind != "hub":
        raise AgentError(f"{name} is no hub, so it cannot be asked here", "Ask it in its own way.")
    return destination


@contextlib.contextmanager
def asked(
    destination: Destination, method: str, path: str, body: bytes = b"", timeout_s: float = 60.0
) -> Iterator[http.client.HTTPResponse]:
    """The answer of a hub to a request with this member's token.

    Raises:
        AgentError: it cannot be reached, or lets this token in no longer.
    """
    url = urlsplit(destination.url)
    host = url.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, url.port, timeout=timeout_s, context=context_of(destination))
        if url.scheme == "https"
        else http.client.HTTPConnection(host, url.port, timeout=timeout_s)
    )
    try:
        connection.request(method, url.path.rstrip("/") + path, body, headers_of(destination))
        response = connection.getresponse()
        if response.status == http.client.UNAUTHORIZED:
            raise AgentError(_told(destination, response), "Ask the hub's admin for a token.")
        if response.status == http.client.FORBIDDEN and path.startswith("/team"):
            raise AgentError(_told(destination, response), "Its admin gives such tokens: --role coordinator")
        yield response
    except (OSError, http.client.HTTPException) as error:
        raise AgentError(f"{destination.url} does not answer: {error}", "See: telem-agent forward status") from error
    finally:
        connection.close()


def refused(destination: Destination, response: http.client.HTTPResponse) -> QueryError:
    """What a hub said instead of an answer."""
    return QueryError(_told(destination, response), "", Problem.WORKER)


def _told(destination: Destination, response: http.client.HTTPResponse) -> str:
    said = response.read().decode("utf-8", "replace").strip()
    return f"{destination.url} answered {response.status}: {said}"
