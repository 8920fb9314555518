"""What the page's buttons may ask for: read strictly, and refused with what was expected."""

import pytest

from crier.errors import CrierError
from crier.local.page.control import Command, Cut, Drop, Refuse, parse_command


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ('{"do": "cut"}', Cut()),
        ('{"do": "cut", "connection": "a1="}', Cut("a1=")),
        ('{"do": "refuse", "seconds": 0}', Refuse(0)),
        ('{"do": "refuse", "seconds": 600}', Refuse(600)),
        ('{"do": "drop", "connection": "a1=", "frames": 3}', Drop("a1=", 3)),
    ],
)
def test_command_is_what_the_object_says(body: str, command: Command) -> None:
    """One object for each button."""
    assert parse_command(body.encode()) == command


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "found no JSON"),
        (b"\xff", "found no JSON"),
        (b'{"do": NaN}', "found no JSON"),
        (b'["cut"]', 'found ["cut"], expected an object'),
        (b"{}", "found do=null, expected one of cut, refuse, drop"),
        (b'{"do": ["cut"]}', "expected one of cut, refuse, drop"),
        (b'{"do": "cut", "connection": null}', "found connection=null, expected a connection's id"),
        (b'{"do": "cut", "conection": "a"}', r'found ["conection"], which `cut` does not have'),
        (b'{"do": "refuse"}', "found seconds=null, expected a whole number from 0 to 600"),
        (b'{"do": "refuse", "seconds": 601}', "expected a whole number from 0 to 600"),
        (b'{"do": "refuse", "seconds": true}', "expected a whole number from 0 to 600"),
        (b'{"do": "drop", "frames": 1}', "found connection=null, expected a connection's id"),
        (b'{"do": "drop", "connection": "a", "frames": 0}', "expected a whole number from 1"),
    ],
)
def test_command_that_is_none_is_refused(body: bytes, said: str) -> None:
    """A typo cuts nothing: it never becomes a cut of all connections."""
    with pytest.raises(CrierError) as refused:
        parse_command(body)

    assert said in str(refused.value)
