"""A client of the API that needs no socket."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # it prefers a client we do not use
    from starlette.testclient import TestClient

__all__ = ["TestClient"]
