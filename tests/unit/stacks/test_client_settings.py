"""What clients may ask for: the open channels, and the function that answers."""

from typing import Any

import pytest
from aws_cdk.assertions import Template
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.channel_patterns import read_patterns
from settings import ClientFrameSettings
from stacks import open_channels
from stacks.settings import DeploySettings, SettingsError

PER_ROOM = "room.*"


def refusal(value: object) -> str:
    """Return what the user of a value of openChannels is told."""
    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"openChannels": value})
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("*", ("*",)),
        ("news", ("news",)),
        ("news,room.*", ("news", PER_ROOM)),
        ("news room.*", ("news", PER_ROOM)),
        (" news , room.*  a:b_c-1 ", ("news", PER_ROOM, "a:b_c-1")),
        ("", ()),
        ("  ", ()),
        ([], ()),
        (["news", PER_ROOM], ("news", PER_ROOM)),
        (["x" * 64, "x" * 63 + "*"], ("x" * 64, "x" * 63 + "*")),
        ([f"{number}" for number in range(100)], tuple(map(str, range(100)))),
        (["x" * 63] * 31 + ["x" * 64], ("x" * 63,) * 31 + ("x" * 64,)),
    ],
)
def test_open_channels_are_a_list_or_a_text(value: object, read: tuple[str, ...]) -> None:
    """A list in cdk.json; on the command line commas or spaces, and an empty text for none."""
    assert DeploySettings.from_context({"openChannels": value}).open_channels == read


def test_clients_may_ask_for_what_the_documents_say_when_nothing_is_set() -> None:
    """A day of replay, 300 frames at a time, and 1,000 frames of all clients per second."""
    settings = DeploySettings.from_context({})

    assert settings.open_channels == ("*",)
    assert (settings.replay_seconds, settings.replay_frames) == (86_400, 300)
    assert (settings.client_rate, settings.client_burst) == (1_000, 1_000)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a*b", "names 'a*b', which has a * before its end"),
        ("**", "names '**', which has a * before its end"),
        ("*x", "names '*x', which has a * before its end"),
        ("news @", "names '@', which is of a user: each client may use its own user's, and no"),
        ("@bob", "names '@bob', which is of a user"),
        ("!", "names '!', which is no channel's name"),
        ("news,,sport", "names '', which is no channel's name"),
        (",", "names '', which is no channel's name"),
        (["a b"], "names 'a b', which is no channel's name"),
        (["a,b"], "names 'a,b', which is no channel's name"),
        (["news\n"], "names 'news\\n', which is no channel's name"),
        (["nöws"], "names 'nöws', which is no channel's name"),
        (["user#bob"], "names 'user#bob', which is no channel's name"),
        (["x" * 65], f"names '{'x' * 65}', which is no channel's name"),
        (["x" * 64 + "*"], "which is no channel's name"),
        (["x" * 2_000], f"names '{'x' * 100}', which is no channel's name"),
        (["a"] * 101, "names 101 channels"),
        (["x" * 40] * 51, "has 2,090 characters, more than the 2,048 there is room for"),
    ],
)
def test_open_channels_name_the_one_that_is_wrong(value: object, found: str) -> None:
    """The message has what was found, what is expected, and where it is."""
    said = refusal(value)

    assert said.startswith("openChannels ")
    assert found in said
    assert ", expected up to 100 channel names of 1 to 64 of A-Z a-z 0-9 . _ : - each" in said
    assert said.endswith("(-c openChannels=…)")


@pytest.mark.parametrize("value", [1, True, None, {"a": 1}, [1], ["news", None]])
def test_open_channels_that_are_no_list_are_refused(value: object) -> None:
    """Not even JSON of another kind becomes a channel by accident."""
    assert refusal(value).startswith("openChannels is ")


@given(st.lists(st.text("aZ09._:-*@!# ,é", max_size=66), max_size=4))
def test_open_channels_follow_the_rules_of_the_functions(patterns: list[str]) -> None:
    """The stack imports nothing of the functions: what it takes, they take, and no more."""
    assert bool(open_channels.trouble_with(patterns)) == (not _is_read(patterns))


def _is_read(patterns: list[str]) -> bool:
    try:
        read = read_patterns(patterns)
    except ValueError:
        return False
    return read == tuple(patterns)


@pytest.mark.parametrize(
    ("fixture", "told"),
    [
        ("prod", {"OPEN_CHANNELS": "*", "REPLAY_FRAMES": "300", "REPLAY_SECONDS": "86400"}),
        (
            "dev_with_all_set",
            {"OPEN_CHANNELS": "news room.*", "REPLAY_FRAMES": "60", "REPLAY_SECONDS": "50"},
        ),
        ("without_replay", {"OPEN_CHANNELS": "", "REPLAY_FRAMES": "300", "REPLAY_SECONDS": "0"}),
    ],
)
def test_client_frame_function_is_told_what_clients_may_ask_for(
    request: pytest.FixtureRequest, fixture: str, told: dict[str, str]
) -> None:
    """It knows both tables, the open channels, and how much is replayed, and no more."""
    variables = _client_frame_of(request.getfixturevalue(fixture))["Environment"]["Variables"]

    own = {key: value for key, value in variables.items() if not key.startswith("POWERTOOLS_")}
    tables = {
        "CONNECTIONS_TABLE": {"Ref": "ConnectionsTable916FDB22"},
        "BROADCASTS_TABLE": {"Ref": "LedgerTable9343E4AA"},
    }
    assert own == tables | told


@pytest.mark.parametrize("fixture", ["prod", "dev_with_all_set", "without_replay"])
def test_client_frame_function_takes_what_it_is_told(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    """What the stack takes for a setting, the function does, too; no open channel is none."""
    variables = _client_frame_of(request.getfixturevalue(fixture))["Environment"]["Variables"]
    told = {key: value if isinstance(value, str) else "a" for key, value in variables.items()}

    settings = ClientFrameSettings.read(told)

    assert " ".join(settings.open_channels) == told["OPEN_CHANNELS"]
    assert (str(settings.replay_seconds), str(settings.replay_frames)) == (
        told["REPLAY_SECONDS"],
        told["REPLAY_FRAMES"],
    )


def test_client_frame_function_gives_up_when_its_client_asks_again(prod: Template) -> None:
    """A client waits for an answer for 10 s."""
    function = _client_frame_of(prod)

    assert (function["MemorySize"], function["Timeout"]) == (512, 10)


def _client_frame_of(template: Template) -> dict[str, Any]:
    """Return the properties of the function that answers clients."""
    handler = {"Properties": {"Handler": "handlers.client_frame.handler"}}
    (function,) = template.find_resources("AWS::Lambda::Function", handler).values()
    properties: dict[str, Any] = function["Properties"]
    return properties
