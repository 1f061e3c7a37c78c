"""How the definitions process and its parent talk: length-prefixed JSON over a socket pair."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import datetime
from typing import Any

from backfill.errors import BackfillError

_LENGTH = struct.Struct(">Q")
_CHUNK = 1 << 20


class Ended(Exception):
    """The other side has closed its end."""


def pack(message: object) -> bytes:
    """Return a message as it is sent: data classes as objects, what JSON lacks as its text.

    Raises:
        TypeError, ValueError: It cannot be JSON: a key that is no text, a circle.
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_plain)
    encoded = text.encode("utf-8", "backslashreplace")
    return _LENGTH.pack(len(encoded)) + encoded


def send(connection: socket.socket, packed: bytes) -> None:
    """Write one packed message.

    Raises:
        Ended, TimeoutError: The other side is gone, or does not read within the socket's timeout.
    """
    try:
        connection.sendall(packed)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Ended from error


def receive(connection: socket.socket, seconds_left: Callable[[], float | None]) -> Any:
    """Read one message.

    Args:
        seconds_left: Asked before every read; None waits for ever.

    Raises:
        Ended, TimeoutError: The other side is gone, or time is up.
    """
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size, seconds_left))
    return json.loads(_read(connection, length, seconds_left))


def _read(
    connection: socket.socket, size: int, seconds_left: Callable[[], float | None]
) -> bytearray:
    data = bytearray()
    while len(data) < size:
        left = seconds_left()
        if left is not None and left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        try:
            read = connection.recv(min(size - len(data), _CHUNK))
        except ConnectionResetError as error:
            raise Ended from error
        if not read:
            raise Ended
        data += read
    return data


def encode_error(error: BackfillError) -> dict[str, Any]:
    """Return an error as data."""
    return {"code": error.code, "detail": error.detail, "facts": error.facts}


def decode_error(data: dict[str, Any]) -> BackfillError:
    """Return the error that `encode_error` was given, of the same class."""
    return _class_of(data["code"])(data["detail"], **data["facts"])


def _plain(value: object) -> object:
    if is_dataclass(value):
        return vars(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _class_of(code: str) -> type[BackfillError]:
    left: list[type[BackfillError]] = [BackfillError]
    while left:
        known = left.pop()
        if known.code == code:
            return known
        left.extend(known.__subclasses__())
    return BackfillError
