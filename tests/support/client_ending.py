"""The end of a history: all is let through, and the promises are held."""

from broadcasting.audience import EVERYONE
from tests.support.client_world import ClientWorld
from tests.support.model_server import STREAMS

_LONG_MS = 240_000
"""More than any pause before a connect, a token that hangs, and a busy server take together."""


def finish(world: ClientWorld, *, waits_for: str) -> None:
    """Let all through, and require that all is whole.

    That is after a `frame` that comes live, after a `ping` that tells of a frame which was lost,
    and in any case after a `cut`. At last the client is closed.
    """
    _calm_down(world)
    world.live(_LONG_MS)
    assert world.judge.state == "connected", f"the client is {world.judge.state}"
    owed = [name for name, one in world.judge.followed.items() if one.is_owed]
    assert not owed, f"nothing was told of {owed} after the client had been cut off"
    if waits_for != "cut" and not world.is_given_up:
        _require_after(world, waits_for)
    _require_after_cut(world)
    _require_quiet_after_close(world)


def _calm_down(world: ClientWorld) -> None:
    world.omens.clear()
    world.is_calm = True
    world.server.post_all_taken(world.client.now_ms)
    for what in {"visible", "pageshow"} & set(world.client.nudges):
        world.do("nudge", what=what)
    world.settle()
    if world.judge.state in ("closed", "idle"):
        world.do("connect")
    world.settle()
    for one in world.connections:
        if not one.is_known or one.is_silent or one.is_hung:
            world.cut(one)


def _require_after(world: ClientWorld, waits_for: str) -> None:
    """Require all after a live frame; or have that be lost, and require all after a ping."""
    is_lost = waits_for == "ping"
    for name in STREAMS:
        world.server.publish(name, "normal", world.client.now_ms, is_lost=is_lost)
    world.settle()
    world.live(700_000 if is_lost else 60_000)
    for following in world.judge.followed.values():
        if following.has_one_epoch:
            following.require_whole()


def _require_after_cut(world: ClientWorld) -> None:
    before = {name: one.recoveries for name, one in world.judge.followed.items()}
    world.cut_all()
    world.live(60_000)
    assert world.judge.state == "connected", f"the client is {world.judge.state} after a cut"
    world.do("positions")
    for name, following in world.judge.followed.items():
        following.require_whole()
        stream = following.stream
        expected = {"seq": stream.last, "epoch": stream.epoch}
        found = world.client.positions.get(name)
        assert found == expected, f"{name} is at {found}, expected {expected}"
        assert following.recoveries > before[name], f"nothing was told of {name} after a cut"


def _require_quiet_after_close(world: ClientWorld) -> None:
    """Have a frame be under way when the client is closed, and come after that."""
    world.is_calm = False
    world.server.publish(EVERYONE, "normal", world.client.now_ms)
    world.do("close")
    assert world.judge.state == "closed", f"the client is {world.judge.state} after close"
    assert not world.live_connections, "a connection is open after close"
    for action in reversed([one for one in world.actions() if one.kind == "down"]):
        world.act(action)
    world.is_calm = True
    world.settle()
    effects = world.do("advance", ms=600_000)
    assert not effects, f"{effects} after close"
