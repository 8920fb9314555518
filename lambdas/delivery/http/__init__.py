"""HTTP connections to `@connections`."""
