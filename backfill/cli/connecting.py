"""The client that commands use."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backfill.cli import profile

if TYPE_CHECKING:
    from backfill.client import Client

RETRIES = 2


@dataclass
class Connection:
    """Where `--url` and `--token` point; None when not given."""

    url: str | None = None
    token: str | None = None
    _opened: list[Client] = field(default_factory=list)

    def client(self, *, retries: int = RETRIES) -> Client:
        """Return a client of that API.

        Without a URL: of the `backfill dev` that runs here, else of the API logged in to.
        """
        from backfill.client import Client

        url, token = self._target()
        opened = Client(url, token, retries=retries)
        self._opened.append(opened)
        return opened

    def _target(self) -> tuple[str | None, str | None]:
        if self.url is not None or (dev := _of_dev()) is None:
            kept = profile.read()
            if kept is not None and self.url in {None, kept.url}:
                return kept.url, self.token or kept.token
            return self.url, self.token
        return dev, self.token

    def close(self) -> None:
        """Close the clients that were handed out."""
        while self._opened:
            self._opened.pop().close()


def _of_dev() -> str | None:
    """Return where the `backfill dev` of the home folder said it serves."""
    from backfill.settings import get_settings

    try:
        noted = json.loads((get_settings().home / "dev.json").read_text())
        os.kill(int(noted["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    url = noted.get("api_url")
    return url if isinstance(url, str) else None


connection = Connection()
