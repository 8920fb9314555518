"""The operator's command line and the local run.

Read `entry`, which starts it, then `cli`, which puts the commands together, then one of the
`commands`. They use three rooms: `deployed` reads and writes what a stack has, `local` runs the
real app on a local AWS, and `demo` proves one broadcast there from outside.
"""

__version__ = "0.1.0"
