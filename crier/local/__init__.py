"""The local run: the real app on a local AWS.

Read `local_aws` first, a child process in a `run_folder`, and `deploy`, which runs the CDK.
`session` lets other commands find the run, `logs` follows its functions, and `environment` keeps it
from a real AWS. `interrupts` and `process_group` let it end without leaving anything.
`page` serves a page, and a proxy that does for it what the local AWS does not do.
`lambda_startup` is a folder for the Python path of the functions, not a package of crier.
"""
