"""The storm: many clients of `crier.v1` are cut at random, and must have each frame once, in order.

To read it, begin with `storm` (what happens), then `testbed.soak.sent` (what was broadcast) and
`diary` (what a client was told); `verdict` compares the two, without the client's own positions.
`channels` says who follows what, `member` is a client on real sockets, `crowd` all of them,
`issuer` gives them their tokens, `producer` broadcasts as fast as `pace` allows, `kills` says
which workers die. `returns` measures how long a client takes to be whole again, `stormed` has the
figures, and `counting` counts them.
"""
