"""The demo: many real clients, one broadcast, and a count of what each client received.

Read `run` first, then `clients`, which connects them, and `result`, which counts.
"""
