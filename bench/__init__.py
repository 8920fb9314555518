"""The benchmark: a stand-in for `@connections`, ways of posting to it, and the report."""
