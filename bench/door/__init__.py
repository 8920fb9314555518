"""What it costs to be let in: `python -m bench door`.

Read verb.py first; connects.py counts connects on the local AWS, processor.py the work for one
token, issuer.py makes tokens and shows the keys to verify them by.
"""
