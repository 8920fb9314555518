"""Models of DynamoDB and of time, for tests and for simulated measurements."""
