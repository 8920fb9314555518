"""The figures of the documents, written from the latest result of compare.

To read it, begin with `verb` (which document has which figures), then `blocks` (how a text is
changed), `rows` (the table of runs) and `sentences` (what is said of them).
"""
