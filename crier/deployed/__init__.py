"""A deployed stack, as an operator reads it."""
