"""What tests and benchmarks share. Nothing that is deployed or installed imports it."""
