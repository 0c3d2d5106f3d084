"""Token and Basic authentication as registries do it (distribution-spec token authentication, RFC 7617)."""

import base64
import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs

AuthMode = Literal["none", "bearer", "basic"]


@dataclass(kw_only=True)
class Gate:
    """Decides who may read, and gives out tokens."""

    mode: AuthMode
    username: str = ""
    password: str = ""
    identity_token: str = ""
    realm: str = ""
    """URL of the token server, as the challenge names it."""
    expires_in: int | None = 300
    challenge: str = ""
    """The whole WWW-Authenticate value, when a test wants its own."""
    count: int = 0
    """Tokens given out so far; no two have one name."""
    issued: dict[str, str] = field(default_factory=dict)
    """Token -> scope."""

    def admits(self, authorization: str, scope: str) -> bool:
        """Tell whether a request with this header may read `scope`."""
        if self.mode == "none":
            return True
        if self.mode == "basic":
            return authorization == self._basic()
        return self.issued.get(authorization.removeprefix("Bearer ")) == scope

    def challenge_for(self, scope: str) -> str:
        """Give the WWW-Authenticate value of a refusal."""
        if self.challenge:
            return self.challenge
        if self.mode == "basic":
            return 'Basic realm="fake registry"'
        return f'Bearer realm="{self.realm}",service="fake",scope="{scope}"'

    def answer_token_request(
        self, query: str, form: str, authorization: str
    ) -> tuple[int, dict[str, object]]:
        """Give status and body for a request to the token server."""
        asked = parse_qs(form or query)
        scope, service = asked.get("scope", [""])[0], asked.get("service", [""])[0]
        if service != "fake" or not scope:
            return 400, {"errors": [{"code": "UNSUPPORTED", "message": "service and scope?"}]}
        if not self._knows(asked, authorization, is_form=bool(form)):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong credentials"}]}
        self.count += 1
        token = f"token-{self.count}"
        self.issued[token] = scope
        answer: dict[str, object] = {"token": token}
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        return 200, answer

    def _knows(self, asked: dict[str, list[str]], authorization: str, *, is_form: bool) -> bool:
        if is_form:
            return asked.get("refresh_token", [""])[0] == self.identity_token
        return authorization == self._basic() if self.username else not authorization

    def _basic(self) -> str:
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def error_json(code: str, message: str) -> bytes:
    """Write an error as the distribution-spec wants it."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
