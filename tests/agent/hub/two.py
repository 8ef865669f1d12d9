"""A hub with two members: Ada, who has something to hide, and Ben, who looks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.hub.test_hub import LiveHub

CANARY = "heron-on-the-weir"
EMAIL = "ada@example.org"


class Two:
    """A hub with two members: Ada, who has something to hide, and Ben, who looks for it."""

    def __init__(self, hub: LiveHub) -> None:
        self.hub = hub
        self.ada, self.adas = hub.add("ada")
        self.ben, self.bens = hub.add("ben")
        secret = {"event.name": "user_prompt", "prompt": CANARY, "user.email": EMAIL, "session.id": "adas-session"}
        assert hub.send(self.ada, CANARY, **secret) == 200
        assert hub.send(self.ben, "bens", **{"event.name": "user_prompt", "session.id": "bens-session"}) == 200
        self.stand_in = self.ask(self.ada, 'SELECT "user" FROM events').strip()
        assert self.stand_in.startswith("email:")
        assert CANARY in self.ask(self.ada, "SELECT * FROM events")  # she sees it; so it is there to be seen

    def ask(self, token: str, statement: str, **headers: str) -> str:
        return self.hub.ask("POST", "/", token, statement.encode(), **headers)[1]

    def filled(self, text: str) -> str:
        names = {
            "own": str(self.bens), "other": str(self.adas), "other_id": self.adas.name,
            "members": str(self.adas.parent), "home": str(self.adas.parent.parent),
        }  # fmt: skip
        for name, value in names.items():
            text = text.replace("{" + name + "}", value)
        return text

    def betrays(self, text: str) -> bool:
        """Does an answer show anything of Ada's?"""
        token = (self.adas / "token").read_text(encoding="ascii").strip()
        return any(secret in text for secret in (CANARY, EMAIL, self.stand_in, "adas-session", token, self.ada))
