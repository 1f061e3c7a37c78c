"""Live events: one thread reads the feed, and hands what moved to every client that listens."""
