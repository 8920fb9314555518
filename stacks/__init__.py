"""The CDK app's one stack.

Read `broadcast_stack` first: it only connects the `parts`, each of which is one construct. Then
`settings`, what a deployment may choose, with `access_settings` and `client_settings`, the
rules of `allowed_values`, `producers`, `origins` and `open_channels`, and `context_files`.
"""
