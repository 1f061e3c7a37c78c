"""The REST API: parse, call one verb or one read, answer. It decides nothing and keeps nothing."""
