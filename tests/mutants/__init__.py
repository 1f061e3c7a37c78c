"""The mutation gate: every guard taken out in a copy of the tree is missed by a test."""
