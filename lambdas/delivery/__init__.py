"""The hot path: how a frame gets to many connections."""
