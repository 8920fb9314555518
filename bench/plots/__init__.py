"""Plots of a result, as SVG and PNG: `python -m bench.plots` makes them of the latest one."""
