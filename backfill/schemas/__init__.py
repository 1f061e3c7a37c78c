"""What the API takes and answers: one set of models for the API and the Python client.

Ids are strings, times ISO 8601 in UTC. Unknown fields of an answer are ignored, so that an older
client understands a newer API; unknown fields of a request are errors.
"""
