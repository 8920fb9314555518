"""How fast to post."""
