"""The constructs that the stack is made of, one per file."""
