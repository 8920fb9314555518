"""Redriving: what may be put back, what is only deleted, and what stays."""

import json
from typing import Any

import pytest

from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.message import Broadcast, parse_broadcast
from broadcasting.slice_message import parse_slice_message
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import DeadLetter, Origin
from crier.deployed.redrive import Redriven, redrive
from crier.deployed.redrive_decision import Action, decide
from tests.support.fake_stack import (
    OPENED_MS,
    TABLE,
    FakeQueues,
    FakeTable,
    a_summary,
    rejected,
)

NOW_MS = OPENED_MS + 60_000
HEAR = '{"message": "hear"}'
SLICE = '{"broadcast": "news", "slice": "4"}'


def letter(
    body: str,
    origin: Origin = Origin.BROADCASTS,
    *,
    reason: str = "",
    is_given_up: bool = False,
) -> DeadLetter:
    """Return a letter that was sent a minute ago as message `news`."""
    return DeadLetter(
        origin=origin,
        message_id="m1",
        first_id="news",
        body=body,
        reason=reason,
        is_moved=not reason,
        is_given_up=is_given_up,
        sent_ms=OPENED_MS,
        receipt="r",
    )


def ledger(**changes: Any) -> AccountReader:
    """Return a ledger that knows the broadcast `news`, open unless said otherwise."""
    table = FakeTable()
    table.open(a_summary(**{"slices": 5, **changes}))
    return AccountReader(table, TABLE)


def nothing(_broadcast_id: str) -> Account | None:
    """Return what a ledger says that knows no broadcast."""
    return None


def test_broadcast_that_is_open_goes_on_by_its_first_slice() -> None:
    """In the slice queue the function knows that it is redriven; SQS gives the message any id."""
    decision = decide(letter(HEAR), ledger().find, rejected=False, now_ms=NOW_MS)

    assert (decision.action, decision.is_slice) == (Action.PUT_BACK, True)
    assert parse_slice_message(decision.body) == ("news", "0")


def test_broadcast_goes_on_when_it_is_open_though_it_would_be_rejected_today() -> None:
    """A later release takes less than the one that opened it: it goes on all the same."""
    body = '{"message": "hear", "retired": 1}'

    decision = decide(letter(body), ledger().find, rejected=False, now_ms=NOW_MS)

    assert (decision.action, decision.why) == (Action.PUT_BACK, "the broadcast goes on")
    assert decision.is_slice


def test_slice_is_put_back_when_it_was_given_up() -> None:
    """It breaks no contract: no --rejected is needed. A rejected one stays."""
    given_up = letter(SLICE, Origin.SLICES, reason="down for an hour", is_given_up=True)
    rejected = letter(SLICE, Origin.SLICES, reason="its row is wrong")

    decisions = [
        decide(one, ledger().find, rejected=False, now_ms=NOW_MS) for one in (given_up, rejected)
    ]

    assert [one.action for one in decisions] == [Action.PUT_BACK, Action.KEPT]
    assert decisions[0].body == SLICE


@pytest.mark.parametrize("message", [1.1, 0.1 + 0.2, 10**30, "✓ \ud800 é", {"b": 1, "a": [-0.0]}])
def test_broadcast_is_the_same_when_it_is_put_back(message: object) -> None:
    """The ledger knows a broadcast by its content: rewriting the body must not change that."""
    body = json.dumps({"message": message})

    decision = decide(letter(body), nothing, rejected=False, now_ms=NOW_MS)

    if decision.action is Action.PUT_BACK:
        assert (
            parse_broadcast(decision.body, "another").digest == parse_broadcast(body, "news").digest
        )
    else:
        assert "lone surrogate" in decision.why


def test_broadcast_begins_when_the_ledger_does_not_know_it() -> None:
    """What was never opened is put back with its id: SQS gives the new message another one."""
    decision = decide(letter(HEAR), nothing, rejected=False, now_ms=NOW_MS)

    assert not decision.is_slice
    assert parse_broadcast(decision.body, "another") == Broadcast("news", "hear")
    assert (decision.action, decision.why) == (Action.PUT_BACK, "the broadcast begins")
    assert json.loads(decision.body) == {"message": "hear", "id": "news"}


AUDIENCES = [
    {"channel": "news", "exclude": ["b=", "a="]},
    {"user": "alice"},
    {"connections": ["b=", "a=", "b="], "exclude": ["a="]},
]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_broadcast_keeps_its_audience_when_it_is_put_back(audience: dict[str, Any]) -> None:
    """Also one that a release rejected which knew no other audience than everyone."""
    body = json.dumps({"message": "hear", **audience})
    refused = letter(body, reason="not supported yet: channel")

    decisions = [decide(letter(body), nothing, rejected=False, now_ms=NOW_MS)]
    decisions += [decide(refused, nothing, rejected=True, now_ms=NOW_MS)]
    kept = decide(refused, nothing, rejected=False, now_ms=NOW_MS)

    wanted = parse_broadcast(body, "news")
    assert [parse_broadcast(one.body, "another") for one in decisions] == [wanted, wanted]
    assert json.loads(decisions[0].body) == {"message": "hear", **audience, "id": "news"}
    assert kept.action is Action.KEPT


@pytest.mark.parametrize("audience", AUDIENCES)
def test_broadcast_goes_on_only_when_it_is_to_the_same_audience(audience: dict[str, Any]) -> None:
    """The same message to others is another broadcast; lists of ids may be in any order."""
    wanted = parse_broadcast(json.dumps({"message": "hear", **audience}), "news")
    find = ledger(channel=wanted.audience.stream, digest=wanted.digest).find
    turned = {
        name: value[::-1] if isinstance(value, list) else value for name, value in audience.items()
    }
    bodies = [{"message": "hear", **turned}, {"message": "hear"}, {"message": "hear", "user": "u"}]

    same, *others = (
        decide(letter(json.dumps(one)), find, rejected=False, now_ms=NOW_MS) for one in bodies
    )

    assert (same.action, same.why) == (Action.PUT_BACK, "the broadcast goes on")
    assert [one.action for one in others] == [Action.KEPT, Action.KEPT]
    assert "id news belongs to another broadcast" in others[0].why


def test_broadcast_is_only_deleted_when_it_is_settled() -> None:
    """A message that came once more, after the end, has nothing left to do."""
    decision = decide(
        letter(HEAR), ledger(settled_ms=OPENED_MS + 1).find, rejected=False, now_ms=NOW_MS
    )

    assert (decision.action, decision.why) == (Action.DELETED, "the broadcast is settled")


def test_broadcast_stays_when_its_id_is_anothers() -> None:
    """An id that belongs to other content would be rejected, settled or not."""
    found = ledger(digest="other", settled_ms=OPENED_MS + 1)

    decision = decide(letter(HEAR), found.find, rejected=True, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert "id news belongs to another broadcast" in decision.why
    assert decision.why.endswith("send what was meant under an id of its own")


@pytest.mark.parametrize(("ttl_seconds", "left_seconds"), [(61, 1), (3600, 3540)])
def test_broadcast_lives_on_as_long_as_it_was_meant_to_when_it_is_put_back(
    ttl_seconds: int, left_seconds: int
) -> None:
    """The new message is young, the broadcast is not: what has passed of its time is taken off."""
    body = json.dumps({"message": "hear", "ttlSeconds": ttl_seconds})

    decision = decide(letter(body), nothing, rejected=False, now_ms=NOW_MS)

    assert decision.action is Action.PUT_BACK
    assert json.loads(decision.body)["ttlSeconds"] == left_seconds


def test_broadcast_keeps_its_time_to_live_when_our_clock_is_behind() -> None:
    """A message from the future does not live longer than it was meant to."""
    body = '{"message": "hear", "ttlSeconds": 60}'

    decision = decide(letter(body), nothing, rejected=False, now_ms=OPENED_MS - 5_000)

    assert json.loads(decision.body)["ttlSeconds"] == 60


def test_broadcast_stays_when_its_time_to_live_is_over() -> None:
    """No client shall receive it any more: it is not begun."""
    body = '{"message": "hear", "ttlSeconds": 60}'

    decision = decide(letter(body), nothing, rejected=False, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert "time to live is over" in decision.why


def test_broadcast_stays_when_it_is_older_than_the_ledger_remembers() -> None:
    """It may have been delivered: its account is gone, and no client shall receive it again."""
    week_ms = 7 * 24 * 3600 * 1000

    young = decide(letter(HEAR), nothing, rejected=False, now_ms=OPENED_MS + week_ms)
    old = decide(letter(HEAR), nothing, rejected=False, now_ms=OPENED_MS + week_ms + 1)

    assert (young.action, old.action) == (Action.PUT_BACK, Action.KEPT)
    assert "more than 7 days ago" in old.why


def test_broadcast_that_is_open_goes_on_when_its_time_to_live_is_over() -> None:
    """The ledger has the end of its time: the pending connections are counted as expired."""
    body = '{"message": "hear", "ttlSeconds": 60}'
    digest = Broadcast("news", "hear", 60).digest

    decision = decide(letter(body), ledger(digest=digest).find, rejected=False, now_ms=NOW_MS)

    assert (decision.action, decision.is_slice) == (Action.PUT_BACK, True)


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "[]",
        '{"mesage": 1}',
        '{"message": 1, "message": 2}',
        "[" * 100_000,
        json.dumps({"message": "a" * MAX_FRAME_BYTES}),
    ],
)
def test_broadcast_stays_when_it_would_be_rejected_again(body: str) -> None:
    """What breaks the contract comes to nothing a second time, asked for or not."""
    decision = decide(letter(body, reason="because"), nothing, rejected=True, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert decision.why.startswith("it would be rejected: ")
    assert decision.why.endswith("; send what was meant: it cannot be put back")


def test_broadcast_that_is_not_json_is_called_so_wherever_it_is_shown() -> None:
    """In the words of the function, in lists and when it is redriven."""
    one = letter("not JSON")

    decision = decide(one, nothing, rejected=True, now_ms=NOW_MS)

    assert one.unreadable == "body is not JSON: Expecting value: line 1 column 1 (char 0)"
    assert decision.why.startswith(f"it would be rejected: {one.unreadable}, expected an object")


@pytest.mark.parametrize(
    ("rejected", "action"),
    [(False, Action.KEPT), (True, Action.PUT_BACK)],
    ids=["not asked", "asked"],
)
def test_rejected_letter_is_put_back_when_that_is_asked_for(rejected: bool, action: Action) -> None:  # noqa: FBT001
    """What keeps the contract today, as that has grown, waits for its operator's word."""
    one = letter(HEAR, reason="message is not supported yet")

    decision = decide(one, nothing, rejected=rejected, now_ms=NOW_MS)

    assert decision.action is action


def test_slice_is_put_back_as_it_is_when_its_broadcast_is_open() -> None:
    """A slice goes on where the ledger has it."""
    decision = decide(letter(SLICE, Origin.SLICES), ledger().find, rejected=False, now_ms=NOW_MS)

    assert (decision.action, decision.body) == (Action.PUT_BACK, SLICE)


def test_slice_is_only_deleted_when_its_broadcast_is_settled() -> None:
    """The account is exact already."""
    found = ledger(settled_ms=OPENED_MS + 1)

    decision = decide(letter(SLICE, Origin.SLICES), found.find, rejected=False, now_ms=NOW_MS)

    assert decision.action is Action.DELETED


@pytest.mark.parametrize("one", [letter(HEAR), letter(SLICE, Origin.SLICES)])
def test_letter_stays_when_nothing_can_settle_its_broadcast(one: DeadLetter) -> None:
    """The function would skip what is put back, and the message would be lost."""
    found = ledger(open_slices=0)

    decision = decide(one, found.find, rejected=True, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert "no open slice" in decision.why


@pytest.mark.parametrize("slice_id", ["5", "04", "-1", "x", "٤"])
def test_slice_stays_when_its_broadcast_has_no_such_slice(slice_id: str) -> None:
    """The function would reject it again, and it would come back."""
    one = letter(SLICE.replace("4", slice_id), Origin.SLICES)

    decision = decide(one, ledger().find, rejected=True, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert decision.why == "its broadcast has slices 0 to 4: it would be rejected again"


@pytest.mark.parametrize(
    ("body", "why"), [(SLICE, "does not know its broadcast"), ("{}", "names no slice")]
)
def test_slice_stays_when_the_ledger_knows_nothing_of_it(body: str, why: str) -> None:
    """A forged slice, or one that is too old, would be rejected again."""
    decision = decide(letter(body, Origin.SLICES), nothing, rejected=True, now_ms=NOW_MS)

    assert decision.action is Action.KEPT
    assert why in decision.why


def test_rejected_slice_stays_when_nothing_else_is_asked_for() -> None:
    """A slice that was taken up too often would be again."""
    one = letter(SLICE, Origin.SLICES, reason="taken up 1000 times")

    decision = decide(one, ledger().find, rejected=False, now_ms=NOW_MS)

    assert (decision.action, decision.why) == (
        Action.KEPT,
        "it was rejected; with --rejected it is put back",
    )


@pytest.fixture
def sqs() -> FakeQueues:
    """Three dead letters: one to be put back, one that was rejected, one that is settled."""
    queues = FakeQueues()
    queues.add("dead", "m1", HEAR, is_moved=True)
    queues.add("dead", "m2", '{"mesage": 1}', rejected("unknown key"))
    queues.add("dead", "m3", '{"message": "hear", "id": "news"}', is_moved=True)
    return queues


def run(sqs: FakeQueues, only: str | None = None) -> list[Redriven]:
    """Redrive a queue whose ledger knows the settled broadcast `news`."""
    queue = DeadLetterQueue(sqs, Origin.BROADCASTS, "dead", "source", "slices")
    find = ledger(settled_ms=OPENED_MS + 1).find
    return list(redrive(queue, find, only=only, rejected=False, now_ms=NOW_MS))


def test_redrive_does_what_is_decided_and_leaves_the_others_visible(sqs: FakeQueues) -> None:
    """One is sent and then deleted, one only deleted, one stays."""
    done = run(sqs)

    assert [(one.letter.message_id, one.action) for one in done] == [
        ("m1", Action.PUT_BACK),
        ("m2", Action.KEPT),
        ("m3", Action.DELETED),
    ]
    assert [(url, json.loads(body)["id"]) for url, body in sqs.sent] == [("source", "m1")]
    assert sqs.attributes == [{}]
    assert sqs.ids("dead") == ["m2"]
    assert sqs.calls.index("send") < sqs.calls.index("delete")


def test_redrive_keeps_a_letter_when_it_cannot_be_sent(sqs: FakeQueues) -> None:
    """Nothing is deleted that was not sent before; the others go on."""
    sqs.refuses = {"send"}

    done = run(sqs)

    assert [one.action for one in done] == [Action.FAILED, Action.KEPT, Action.DELETED]
    assert "it was not put back: " in done[0].why
    assert sqs.ids("dead") == ["m1", "m2"]


def test_redrive_says_so_when_a_letter_cannot_be_deleted(sqs: FakeQueues) -> None:
    """What was sent and is still there does no harm: its id is the same."""
    sqs.refuses = {"delete"}

    done = run(sqs)

    assert [one.action for one in done] == [Action.FAILED, Action.KEPT, Action.FAILED]
    assert "not deleted from the dead-letter queue" in done[0].why
    assert sqs.ids("dead") == ["m1", "m2", "m3"]


@pytest.mark.parametrize(("only", "message_id"), [("m3", "m3"), ("m0", "m2")])
def test_redrive_touches_one_letter_when_it_is_named(
    sqs: FakeQueues, only: str, message_id: str
) -> None:
    """A letter is known by its id, and by the one that it had in its own queue."""
    done = run(sqs, only)

    assert [one.letter.message_id for one in done] == [message_id]
    assert sqs.sent == []
    assert "m1" in sqs.ids("dead")


TENANT = {"DataType": "String", "StringValue": "acme"}
PRICE = {"DataType": "Number.price", "StringValue": "1.50"}
SEAL = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}


def open_news(sqs: FakeQueues, origin: Origin = Origin.BROADCASTS) -> list[Redriven]:
    """Redrive a queue whose ledger knows the open broadcast `news`, rejected ones, too."""
    queue = DeadLetterQueue(sqs, origin, "dead", "source", "slices")
    return list(redrive(queue, ledger().find, only=None, rejected=True, now_ms=NOW_MS))


def test_redrive_puts_a_producers_attributes_back_with_the_message() -> None:
    """They are as they were; ours, by today's and by earlier names, are left out."""
    sqs = FakeQueues()
    theirs: dict[str, Any] = {"tenant": TENANT, "price": PRICE, "seal": SEAL}
    sqs.add("dead", "m1", HEAR, rejected("not supported yet", **theirs))
    sqs.add("dead", "m2", HEAR, {"reason": "not yet", "messageId": "m00", **theirs})
    sqs.add("dead", "m3", HEAR, {"reason": "theirs", "crier.reason": "forged"}, is_moved=True)

    done = open_news(sqs)

    assert [one.action for one in done] == [Action.PUT_BACK] * 3
    assert sqs.attributes == [theirs, theirs, {"reason": {**TENANT, "StringValue": "theirs"}}]
    assert [json.loads(body)["id"] for _, body in sqs.sent] == ["m0", "m00", "m3"]


def test_redrive_marks_what_goes_to_the_slice_queue_only() -> None:
    """The mark needs the place of one attribute: which one is left out is said."""
    sqs = FakeQueues()
    ten = {f"a{number}": TENANT for number in range(10)}
    sqs.add("dead", "m1", '{"message": "hear", "id": "news"}', ten, is_moved=True)
    sqs.add("dead", "m2", HEAR, ten, is_moved=True)

    goes_on, begins = open_news(sqs)

    assert (
        goes_on.why == "the broadcast goes on; attributes left out: a9 (a message has 10 at most)"
    )
    assert begins.why == "the broadcast begins"
    assert [url for url, _ in sqs.sent] == ["slices", "source"]
    mark = {"DataType": "String", "StringValue": "1"}
    assert sqs.attributes[0] == {f"a{number}": TENANT for number in range(9)} | {
        "crier.redriven": mark
    }
    assert sqs.attributes[1] == ten


def test_redrive_of_a_slice_is_marked() -> None:
    """What was counted against it begins anew."""
    sqs = FakeQueues()
    sqs.add("dead", "m1", SLICE, rejected("an hour", **{"crier.kind": "gave-up"}))

    open_news(sqs, Origin.SLICES)

    assert sqs.sent == [("slices", SLICE)]
    assert set(sqs.attributes[0]) == {"crier.redriven"}


def test_redrive_trusts_no_attribute_of_a_letter_that_sqs_moved() -> None:
    """A producer's `messageId` would have all clients receive it again, under that id."""
    sqs = FakeQueues()
    forged = {"reason": "r", "messageId": "other", **rejected("r", "other")}
    sqs.add("dead", "news", HEAR, forged, is_moved=True)

    (done,) = open_news(sqs)

    assert done.letter.first_id == "news"
    assert done.why == (
        "the broadcast goes on; attributes left out: crier.messageId (the name is Crier's), "
        "crier.reason (the name is Crier's)"
    )
    assert [parse_slice_message(body) for _, body in sqs.sent] == [("news", "0")]


def test_redrive_goes_on_when_a_summary_cannot_be_read() -> None:
    """That letter stays and is reported; the others are put back."""
    sqs, table = FakeQueues(), FakeTable()
    table.open(a_summary("odd"), a_summary("news", seq=8))
    del table.items["broadcast#odd", "summary"]["counts"]
    sqs.add("dead", "odd", HEAR, is_moved=True)
    sqs.add("dead", "news", HEAR, is_moved=True)
    queue = DeadLetterQueue(sqs, Origin.BROADCASTS, "dead", "source", "slices")
    accounts = AccountReader(table, TABLE, epoch_seconds=lambda: OPENED_MS / 1000)

    done = list(redrive(queue, accounts.find, only=None, rejected=False, now_ms=NOW_MS))

    assert [one.action for one in done] == [Action.FAILED, Action.PUT_BACK]
    assert "the row broadcast#odd / summary of the ledger cannot be read" in done[0].why
    assert sqs.ids("dead") == ["odd"]


class Rejecting(FakeQueues):
    """An SQS whose function at once rejects each slice that is put back."""

    def send_message(self, *, MessageBody: str, **options: Any) -> dict[str, str]:  # noqa: N803
        """Take a message, and have it in the dead-letter queue under another id."""
        answer = FakeQueues.send_message(self, MessageBody=MessageBody, **options)
        assert len(self.sent) < 10, "it goes round"
        self.add("dead", f"again-{len(self.sent)}", MessageBody, rejected("no such slice"))
        return answer


def test_redrive_ends_when_what_it_puts_back_is_rejected_at_once() -> None:
    """What comes back while the queue is being read is kept: else it would go round for ever."""
    sqs = Rejecting()
    sqs.add("dead", "m1", SLICE, rejected("no such slice"))

    done = open_news(sqs, Origin.SLICES)

    assert [(one.letter.message_id, one.action) for one in done] == [
        ("m1", Action.PUT_BACK),
        ("again-1", Action.KEPT),
    ]
    assert "was put back a moment ago" in done[1].why
    assert sqs.ids("dead") == ["again-1"]
