"""What one broadcast costs at any size: its requests, counted, and their price.

To read it, begin with `verb`, then `function_harness`, which gives broadcasts to the function in
this process; `request_meter` counts the function's requests, `prices` prices them, and
`generated_rows` is a table of a million rows that needs no room. `added_time` measures what the
ledger adds; `result`, `targets` and `table` say what came of it.
"""
