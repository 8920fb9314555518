"""The CDK app's one stack.

Read `broadcast_stack` first: it only connects the `parts`, each of which is one construct. Then
`settings`, what a deployment may choose, with `allowed_values`, `producers` and `context_files`.
"""
