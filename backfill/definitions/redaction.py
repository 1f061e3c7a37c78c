"""Keeping secrets out of what is recorded: by name of the key, by known value, and in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from backfill.definitions.text import shown, storable

REDACTED = "[redacted]"
MAX_DEPTH = 100
_SHORTEST_SECRET = 4  # shorter values occur everywhere and give nothing away

_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|credential|api[_\-.]?key|access[_\-.]?key|private[_\-.]?key"
    r"|authorization|bearer|token(?!iz|s\b|s?_?(count|limit))",
    re.IGNORECASE,
)
_URL_USERINFO = re.compile(r"(\b[a-zA-Z][\w+.\-]*://[^\s:/@?#]*:)[^\s@/]+(?=@)")


def is_secret_key(key: str) -> bool:
    """Tell whether the value under a key of this name is a secret."""
    return _SECRET_KEY.search(key) is not None


def redact(config: Any) -> Any:
    """Return a JSON-able copy of a config without its secrets.

    Values under keys such as `password`, `db_secret` or `apiKey` become `[redacted]`, passwords
    inside URLs too. Values that JSON cannot carry become their bounded `repr`.
    """
    return redact_into(config, [])


def redact_into(config: Any, found: list[str], depth: int = 0) -> Any:
    """Return what `redact` returns, and append the secrets that were taken out to `found`."""
    if isinstance(config, str):
        return public_text(config)
    if config is None or isinstance(config, bool | int | float):
        return config
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(config, Mapping):
        return {
            storable(str(key)): _hide(value, found)
            if is_secret_key(str(key)) and value is not None
            else redact_into(value, found, depth + 1)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return [redact_into(item, found, depth + 1) for item in config]
    return shown(config)


def public_text(text: str) -> str:
    """Return a text storable and without the passwords of the URLs in it."""
    text = storable(text)
    if "://" in text and "@" in text:
        return _URL_USERINFO.sub(r"\1" + REDACTED, text)
    return text


def secret_texts(value: Any) -> Iterable[str]:
    """Yield every text inside a secret value, as it could appear in a log line."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secret_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secret_texts(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _hide(value: Any, found: list[str]) -> str:
    found.extend(secret_texts(value))
    return REDACTED


class Redactor:
    """Takes known secret values out of text; with none known it costs next to nothing."""

    __slots__ = ("_pattern",)

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        longest_first = sorted(known, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(re.escape(secret) for secret in longest_first)) if known else None
        )

    def text(self, text: str) -> str:
        """Return the text storable and without any known secret."""
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        return public_text(text)
