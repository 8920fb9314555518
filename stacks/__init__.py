"""The CDK stack and its parts."""
