"""The operator's command line and the local run."""
