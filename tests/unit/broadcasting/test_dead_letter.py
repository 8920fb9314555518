"""Dead letters as our function writes them, and as they are read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.attributes import (
    MOST_BYTES,
    OURS,
    Attribute,
    Attributes,
    fit,
    read_sqs,
    size_bytes,
    text_of,
)
from broadcasting.dead_letter import Letter, Note, letter_of, read_letter

NOTE = Note("unknown key", "m1")
TEXT = Attribute("String", "acme")

NAMES = st.sampled_from([*OURS, "reason", "messageId", "tenant", *(f"a{n}" for n in range(9))])
VALUES = st.one_of(
    st.builds(
        Attribute, st.sampled_from(["String", "String.json", "Number"]), st.text("é1", min_size=1)
    ),
    st.builds(Attribute, st.just("Binary"), st.binary(min_size=1, max_size=300_000)),
)


def kept(letter: Letter) -> set[str]:
    """Return the names of a producer's attributes that a letter has."""
    return set(letter.attributes) - OURS


def size_of(letter: Letter) -> int:
    """Return what SQS counts."""
    return len(letter.body.encode()) + size_bytes(letter.attributes)


@given(
    st.text("aé", min_size=1),
    st.booleans(),
    st.integers(1, MOST_BYTES - 4_000),
    st.dictionaries(NAMES, VALUES, max_size=10),
)
def test_letter_is_what_sqs_takes_and_says_what_it_lacks(
    reason: str,
    is_given_up: bool,  # noqa: FBT001
    body_bytes: int,
    theirs: dict[str, Attribute],
) -> None:
    """Each attribute of a producer is kept as it was, or named; ours are read again."""
    note = Note(reason, "m1", is_given_up)

    letter = letter_of("b" * body_bytes, note, theirs)

    left_out = [one.name for one in letter.left_out]
    assert len(letter.attributes) <= 10
    assert size_of(letter) <= MOST_BYTES
    assert kept(letter).isdisjoint(left_out)
    assert kept(letter) | set(left_out) == set(theirs)
    assert {name: letter.attributes[name] for name in kept(letter)}.items() <= theirs.items()
    found, attributes = read_letter(letter.attributes, is_moved=False)
    assert found is not None
    assert found.reason.startswith(reason)
    assert all(name in found.reason for name in left_out)
    assert (found.message_id, found.is_given_up) == ("m1", is_given_up)
    assert set(attributes) == kept(letter)


def test_letter_keeps_all_attributes_when_they_just_fit() -> None:
    """Eight attributes of any size fill a message up to its last byte."""
    few = {f"a{number}": TEXT for number in range(7)}
    taken = size_of(letter_of("body", NOTE, few)) + len("big") + len("Binary")
    fitting = few | {"big": Attribute("Binary", b"x" * (MOST_BYTES - taken))}
    too_big = few | {"big": Attribute("Binary", b"x" * (MOST_BYTES - taken + 1))}

    exact, short = letter_of("body", NOTE, fitting), letter_of("body", NOTE, too_big)

    assert (size_of(exact), exact.left_out) == (MOST_BYTES, ())
    assert kept(short) == set(few)
    assert text_of(short.attributes, "crier.reason") == (
        f"unknown key; attributes left out: big (no room for its {MOST_BYTES - taken + 10:,} bytes)"
    )


def test_letter_keeps_an_attribute_of_200_kilobytes() -> None:
    """A message has 1 MiB."""
    big = {"big": Attribute("String", "x" * 200_000)}

    letter = letter_of("[]", NOTE, big)

    assert (letter.attributes["big"], letter.left_out) == (big["big"], ())


def test_letter_has_our_note_alone_when_the_body_fills_it() -> None:
    """The body is never shortened."""
    body = "b" * (MOST_BYTES - 10)

    letter = letter_of(body, NOTE, {"tenant": TEXT})

    assert letter.body == body
    assert [one.name for one in letter.left_out] == ["tenant"]
    assert set(letter.attributes) == {"crier.reason", "crier.messageId"}


@pytest.mark.parametrize("room_bytes", range(0, 600, 7))
def test_letter_is_what_sqs_takes_when_the_body_leaves_little_room(room_bytes: int) -> None:
    """What cannot be said in the reason is no cause to lose the reason."""
    ours = size_of(letter_of("", NOTE, {}))
    body = "b" * (MOST_BYTES - ours - room_bytes)

    letter = letter_of(body, NOTE, {f"a{number}": TEXT for number in range(10)})

    assert size_of(letter) <= MOST_BYTES
    assert text_of(letter.attributes, "crier.reason").startswith("unknown key")
    assert len(kept(letter)) + len(letter.left_out) == 10


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("\x00" + "r" * 2_000, "?" + "r" * 999), ("", "no reason was given")],
)
def test_letter_has_a_reason_that_sqs_takes(reason: str, shown: str) -> None:
    """SQS refuses control characters and empty values, and takes 1 MiB."""
    letter = letter_of("b", Note(reason, "m"), {})

    assert text_of(letter.attributes, "crier.reason") == shown


BY_NEW = {"crier.reason": Attribute("String", "r"), "crier.messageId": Attribute("String", "m0")}
BY_EARLIER = {"reason": Attribute("String", "r"), "messageId": Attribute("String", "m0")}
NUMBER = Attribute("Number", "1")


@pytest.mark.parametrize("ours", [BY_NEW, BY_EARLIER])
def test_note_is_read_when_both_attributes_are_there(ours: Attributes) -> None:
    """Today's names and the earlier ones are read; all others are the producer's."""
    found = read_letter({**ours, "tenant": TEXT}, is_moved=False)

    assert found == (Note("r", "m0"), {"tenant": TEXT})


@pytest.mark.parametrize("ours", [BY_NEW, BY_EARLIER, BY_NEW | BY_EARLIER])
def test_note_is_none_on_a_letter_that_sqs_moved(ours: Attributes) -> None:
    """Its attributes are the producer's, whatever their names: none is lost."""
    found = read_letter({**ours, "crier.kind": TEXT}, is_moved=True)

    assert found == (None, {**ours, "crier.kind": TEXT})


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"reason": TEXT},
        {"crier.messageId": TEXT},
        {"crier.reason": TEXT, "messageId": TEXT},
        BY_NEW | {"crier.reason": NUMBER},
        BY_NEW | {"crier.messageId": Attribute("String.id", "m0")},
        BY_EARLIER | {"messageId": Attribute("Binary", b"m0")},
    ],
)
def test_note_is_none_when_the_attributes_are_not_ours(attributes: Attributes) -> None:
    """A note needs both attributes, of one kind of names, and of the type String."""
    assert read_letter(attributes, is_moved=False) == (None, attributes)


def test_note_is_read_by_todays_names_when_both_kinds_are_there() -> None:
    """A producer's own `reason` and `messageId` are kept beside ours."""
    theirs = {"reason": TEXT, "messageId": TEXT}

    assert read_letter(BY_NEW | theirs, is_moved=False) == (Note("r", "m0"), theirs)


@pytest.mark.parametrize("kind", [NUMBER, TEXT])
def test_note_of_another_kind_is_that_of_a_rejected_message(kind: Attribute) -> None:
    """Only what our function gave up goes on without --rejected."""
    note, _ = read_letter({**BY_NEW, "crier.kind": kind}, is_moved=False)

    assert note == Note("r", "m0", is_given_up=False)


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        (None, "x"),
        (7, "x"),
        ("Text", "x"),
        ("", "x"),
        ("String", ""),
        ("String", b"x"),
        ("Number.int", 7),
        ("Binary", "x"),
        ("Binary", b""),
        ("String", None),
    ],
)
def test_attribute_is_refused_when_sqs_would_not_take_it(data_type: str, value: str) -> None:
    """Three types, with labels of any kind, and a value that is not empty."""
    with pytest.raises(ValueError, match="expected"):
        Attribute(data_type, value)


def test_attributes_are_read_as_sqs_answers_them() -> None:
    """One that cannot be read is left out, and hides no other."""
    answered = {
        "a": {"DataType": "String.json", "StringValue": "{}"},
        "b": {"DataType": "Binary", "BinaryValue": b"\xff"},
        "odd": {"DataType": "String"},
    }

    found = read_sqs(answered)

    assert found == {"a": Attribute("String.json", "{}"), "b": Attribute("Binary", b"\xff")}
    assert {name: one.as_sqs() for name, one in found.items()} == {
        name: answered[name] for name in ("a", "b")
    }


def test_attributes_that_are_small_are_kept_first() -> None:
    """So as many as possible are kept."""
    theirs = {"big": Attribute("String", "x" * 50), "b": TEXT, "a": TEXT}

    found, left_out = fit(theirs, places=2, room_bytes=1_000)

    assert set(found) == {"a", "b"}
    assert [(one.name, one.why) for one in left_out] == [("big", "a message has 10 at most")]
