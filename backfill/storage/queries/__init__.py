"""Reads: everything that is shown. Lists are paged by key, never by offset; nothing here writes.

Ids are integers and times integer microseconds of the database's clock, as stored.
"""
