"""The profile: the URL and token that `backfill login` keeps."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Profile:
    """Where to, and with what."""

    url: str
    token: str


def place() -> Path:
    """Return the profile's file."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "backfill" / "profile.json"


def read() -> Profile | None:
    """Return the profile, or None when nobody logged in."""
    try:
        kept = json.loads(place().read_text())
        return Profile(str(kept["url"]), str(kept["token"]))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def write(profile: Profile) -> Path:
    """Keep a profile, readable by its owner only."""
    file = place()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump({"url": profile.url, "token": profile.token}, opened)
    fresh.replace(file)
    return file


def forget() -> bool:
    """Remove the profile; say whether there was one."""
    try:
        place().unlink()
    except FileNotFoundError:
        return False
    return True
