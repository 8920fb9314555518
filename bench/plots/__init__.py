"""Plots of the latest results, as SVG and PNG.

To read it, begin with `verb`, then `style` (how every plot looks, those of `bench.simulate`, too)
and `chosen_runs` (which runs are shown); each other module draws one plot.
"""
