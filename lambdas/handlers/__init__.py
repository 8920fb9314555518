"""The doors: each parses an event, calls what is behind it, and translates the answer."""
