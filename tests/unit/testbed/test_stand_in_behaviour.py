"""Behaviours: their values, their JSON, and the scripts that they make."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.behaviour_script import BehaviourScript
from testbed.stand_in.reaction import Answer, Post, Reaction

IDS = [f"conn-{number:08d}=" for number in range(10_000)]


def _kind(reaction: Reaction) -> str:
    return str(reaction.status) if isinstance(reaction, Answer) else type(reaction).__name__


def _kinds(behaviour: Behaviour) -> list[str]:
    script = BehaviourScript(behaviour)
    return [_kind(script(Post(one, 1, b""))) for one in IDS]


def test_behaviour_survives_json() -> None:
    """What was written is what is read."""
    behaviour = Behaviour(gone_share=0.25, seed=7, region="us-east-1", close_after_answers=3)

    assert Behaviour.from_json(behaviour.to_json()) == behaviour
    assert Behaviour(**asdict(behaviour)) == behaviour


@pytest.mark.parametrize(
    "facts",
    [
        {"gone_share": 1.1},
        {"reset_share": -0.1},
        {"gone_share": 0.6, "full_buffer_share": 0.6},
        {"server_error_share": 0.6, "reset_share": 0.6},
        {"latency_median_seconds": -1},
        {"latency_median_seconds": float("inf")},
        {"latency_sigma": float("nan")},
        {"latency_sigma": "0.2"},
        {"seed": 1.5},
        {"seed": True},
        {"close_after_answers": -1},
        {"quota_posts_per_second": 10},
        {"quota_burst": 10},
        {"verify_signatures": 1},
        {"verify_signatures": True},
        {"no_such_option": 1},
    ],
)
def test_behaviour_refuses_what_makes_no_sense(facts: dict[str, Any]) -> None:
    """A wrong one cannot exist, and the message names the option."""
    with pytest.raises(ValueError, match=next(iter(facts))[:6]):
        Behaviour.from_facts(facts)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"gone"'])
def test_behaviour_refuses_what_is_no_json_object(text: str) -> None:
    """There is one error for all that cannot be read."""
    with pytest.raises(ValueError, match="xpect"):
        Behaviour.from_json(text)


def test_behaviour_keeps_its_secret_out_of_messages() -> None:
    """Messages end up in logs."""
    with pytest.raises(ValueError, match="secret_key") as caught:
        Behaviour.from_facts({"secret_key": ["hush"]})

    assert "hush" not in str(caught.value)


def test_script_answers_as_predicted() -> None:
    """A client knows beforehand which connections are gone, and which are full."""
    behaviour = Behaviour(gone_share=0.1, full_buffer_share=0.05, seed=3)

    kinds = _kinds(behaviour)

    for connection_id, kind in zip(IDS, kinds, strict=True):
        predicted = "410" if behaviour.is_gone(connection_id) else "200"
        assert kind == ("429" if behaviour.is_full(connection_id) else predicted)
    counts = Counter(kinds)
    assert 900 < counts["410"] < 1100
    assert 430 < counts["429"] < 570


def test_behaviour_has_other_connections_gone_when_the_seed_differs() -> None:
    """Repeats with other seeds are other samples."""
    gone = [{one for one in IDS if Behaviour(gone_share=0.1, seed=s).is_gone(one)} for s in (1, 2)]

    assert len(gone[0] & gone[1]) < 200


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 10_000)])
def test_behaviour_has_all_or_none_gone(share: float, count: int) -> None:
    """The ends of the range are exact."""
    behaviour = Behaviour(gone_share=share)

    assert sum(map(behaviour.is_gone, IDS)) == count


def test_script_answers_some_posts_with_errors_and_resets() -> None:
    """These are shares of posts, whatever their connection."""
    counts = Counter(_kinds(Behaviour(server_error_share=0.1, reset_share=0.05)))

    assert 850 < counts["500"] + counts["503"] < 1150
    assert min(counts["500"], counts["503"]) > 400
    assert 400 < counts["Reset"] < 600
    assert 8_300 < counts["200"] < 8_700


def test_script_repeats_itself_when_the_seed_is_the_same() -> None:
    """A run can be repeated."""
    behaviour = Behaviour(server_error_share=0.1, reset_share=0.05)

    assert _kinds(behaviour) == _kinds(behaviour)


def test_script_refuses_the_connections_that_are_forbidden() -> None:
    """A client knows beforehand which connections are always answered 403."""
    behaviour = Behaviour(forbidden_share=0.1, seed=3)

    script = BehaviourScript(behaviour)

    reactions = {one: script(Post(one, 1, b"")) for one in IDS}
    refused = {
        one for one, got in reactions.items() if isinstance(got, Answer) and got.status == 403
    }
    assert refused == {one for one in IDS if behaviour.is_forbidden(one)}
    assert 0 < len(refused) < len(IDS)


@pytest.mark.parametrize("share", ["gone_share", "full_buffer_share", "server_error_share"])
def test_script_delays_every_answer(share: str) -> None:
    """Errors take as long as successes do."""
    script = BehaviourScript(Behaviour.from_facts({share: 1.0, "latency_sigma": 0.0}))

    delays = {script(Post(one, 1, b"")).delay_seconds for one in IDS}

    assert delays == {0.02}


def test_script_s_latencies_have_a_median_and_a_tail() -> None:
    """They are log-normal."""
    script = BehaviourScript(Behaviour(latency_median_seconds=0.1, latency_sigma=0.25))

    delays = sorted(script(Post("a", 1, b"")).delay_seconds for _ in range(4000))

    assert delays[2000] == pytest.approx(0.1, rel=0.05)
    assert delays[3960] == pytest.approx(0.179, rel=0.15)


def test_script_throttles_when_the_bucket_is_empty() -> None:
    """The burst is admitted, then the rate."""
    time = [100.0]
    behaviour = Behaviour(quota_posts_per_second=8, quota_burst=3)
    script = BehaviourScript(behaviour, monotonic=lambda: time[0])

    at_once = [_kind(script(Post("a", 1, b""))) for _ in range(5)]
    time[0] += 0.125
    later = [_kind(script(Post("a", 1, b""))) for _ in range(2)]

    assert at_once == ["200", "200", "200", "429", "429"]
    assert later == ["200", "429"]
