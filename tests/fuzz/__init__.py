"""Requests that nobody would write, against the whole API."""
