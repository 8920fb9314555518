"""Dead letters: read without being taken away."""

import pytest

from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import DeadLetter, Origin
from crier.errors import CrierError
from tests.support.fake_stack import OPENED_MS, FakeQueues, rejected


@pytest.fixture
def sqs() -> FakeQueues:
    """Queues with nothing in them."""
    return FakeQueues()


@pytest.fixture
def queue(sqs: FakeQueues) -> DeadLetterQueue:
    """The dead-letter queue of broadcasts."""
    return DeadLetterQueue(sqs, Origin.BROADCASTS, "dead", "source", "slices")


def letter(body: str, origin: Origin = Origin.BROADCASTS) -> DeadLetter:
    """Return a letter with a body."""
    return DeadLetter(
        origin=origin,
        message_id="m1",
        first_id="m0",
        body=body,
        reason="",
        is_moved=False,
        is_given_up=False,
        sent_ms=OPENED_MS,
        receipt="r",
    )


def read(queue: DeadLetterQueue) -> list[DeadLetter]:
    """Return all letters of a queue."""
    with queue.held() as letters:
        return list(letters)


def test_dead_letters_are_all_there_after_they_were_read(
    queue: DeadLetterQueue, sqs: FakeQueues
) -> None:
    """Every message is read once, more than SQS lets go at once, and none is hidden then."""
    ids = [f"m{number}" for number in range(25)]
    for message_id in ids:
        sqs.add("dead", message_id, "{}")

    found = [one.message_id for one in read(queue)]

    assert found == ids
    assert sqs.ids("dead") == ids
    assert queue.waiting().hidden == 0


def test_dead_letters_are_visible_again_when_reading_is_cut_short(
    queue: DeadLetterQueue, sqs: FakeQueues
) -> None:
    """An error in the middle hides nothing for longer."""
    for number in range(3):
        sqs.add("dead", f"m{number}", "{}")

    def interrupt() -> None:
        with queue.held() as letters:
            next(letters)
            assert queue.waiting().hidden > 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()

    assert queue.waiting().hidden == 0


def test_dead_letters_are_read_once_when_their_time_to_be_hidden_is_over(
    queue: DeadLetterQueue, sqs: FakeQueues
) -> None:
    """A message that comes a second time ends the reading: it is not shown twice."""
    sqs.add("dead", "m1", "{}")

    with queue.held() as letters:
        first = next(letters)
        sqs.hidden.clear()
        rest = list(letters)

    assert (first.message_id, rest) == ("m1", [])
    assert queue.waiting().hidden == 0


def test_dead_letter_has_the_reason_of_the_function(
    queue: DeadLetterQueue, sqs: FakeQueues
) -> None:
    """A rejected message says why, and which id it had in its own queue."""
    sqs.add("dead", "m1", '{"mesage": 1}', rejected("unknown key"))

    (found,) = read(queue)

    assert (found.why, found.first_id, found.is_rejected) == ("unknown key", "m0", True)
    assert (found.sent_ms, found.broadcast_id) == (OPENED_MS, "m0")


def test_dead_letter_says_so_when_sqs_moved_it(queue: DeadLetterQueue, sqs: FakeQueues) -> None:
    """A message that was received too often leads to the log of the function."""
    sqs.add("dead", "m1", '{"message": 1}', is_moved=True)

    (found,) = read(queue)

    assert found.why.startswith("SQS moved it here after too many receives")
    assert "message_id m1" in found.why
    assert not found.is_rejected


def test_dead_letter_says_so_when_nobody_knows_why(queue: DeadLetterQueue, sqs: FakeQueues) -> None:
    """A message that a person put there by hand has no reason."""
    sqs.add("dead", "m1", '{"message": 1}')

    (found,) = read(queue)

    assert found.why == "it has no reason: neither the function nor SQS put it here"


@pytest.mark.parametrize(
    ("body", "broadcast_id"),
    [
        ('{"message": 1}', "m0"),
        ('{"message": 1, "id": "news"}', "news"),
        ('{"message": 1, "id": 5}', ""),
        ('{"message": 1, "id": ""}', ""),
        ("[]", ""),
        ("not JSON", ""),
        ("[" * 100_000, ""),
        ("1e400", ""),
    ],
)
def test_dead_letter_names_its_broadcast(body: str, broadcast_id: str) -> None:
    """The id is the body's, else that of the message; where there is none it is said why."""
    found = letter(body)

    assert found.broadcast_id == broadcast_id
    assert bool(found.unreadable) is not bool(broadcast_id)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"broadcast": "news", "slice": "4"}', ("news", "4")),
        ('{"broadcast": "news"}', ("", "")),
        ("not JSON", ("", "")),
    ],
)
def test_dead_letter_names_its_slice(body: str, key: tuple[str, str]) -> None:
    """A slice's message names its broadcast and the slice; a forged one may name nothing."""
    found = letter(body, Origin.SLICES)

    assert found.slice_id == key
    assert found.broadcast_id == key[0]
    assert found.as_json()["slice_id"] == (key[1] or None)


@pytest.mark.parametrize(
    ("operation", "words"),
    [("receive", "queue of broadcasts was not read"), ("let go", "stay hidden for two minutes")],
)
def test_dead_letters_say_what_sqs_refused(
    queue: DeadLetterQueue, sqs: FakeQueues, operation: str, words: str
) -> None:
    """An error of SQS is a message that says what was asked for."""
    sqs.add("dead", "m1", "{}")
    sqs.refuses = {operation}

    with pytest.raises(CrierError, match=f"{words}: .*not you"):
        read(queue)
