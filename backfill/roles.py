"""Roles: what a token lets its holder do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each role may do what the ones before it may."""

    VIEWER = "viewer"  # look at everything
    OPERATOR = "operator"  # submit, launch, steer
    ADMIN = "admin"  # create and revoke tokens

    def allows(self, needed: Role) -> bool:
        """Say whether this role may do what the other is needed for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
