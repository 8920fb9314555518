"""What tests and benchmarks share. Nothing that is deployed or installed imports it.

To read it, begin with `stand_in` (API Gateway's `@connections`), then `function` (the functions in
this process, on the local AWS) and `wire_faults` (what its requests suffer); `model` has fakes and
models that need neither. `tables` and `units` say what the local AWS is filled with and what
DynamoDB would charge; `soak` churns clients on a whole deployment, `storm` cuts them again and
again; `boto3_fan_out` is the reference that the function's own fan-out is held against.
"""
