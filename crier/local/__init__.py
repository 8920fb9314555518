"""The local run."""
