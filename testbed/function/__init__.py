"""The broadcast function in this process, on the local AWS, with faults."""
