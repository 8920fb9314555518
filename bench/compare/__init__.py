"""Ways of posting one frame to many connections, measured side by side against one stand-in.

To read it, begin with `verb` (the whole way), then `runs` (the plan), `runner` (one run) and
`child` (a strategy's process). A strategy is told its `job`, measures with `measure` and
`latencies`, and prints a `measurement`; `complaints` compares it with what the stand-in saw,
`result` sums the repeats up, `targets` judges them. Two targets are measured by programs of their
own: `import_cost` and `whole_path`.
"""
