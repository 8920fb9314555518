"""Message attributes: the names of ours, and how a producer's attributes fit in beside them.

Ours have names that no producer uses by accident. They are trusted only where a producer cannot
have set them: on dead letters that our function wrote, and in the slice queue.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

REASON = "crier.reason"
"""On a dead letter that our function wrote: why the message is one."""

MESSAGE_ID = "crier.messageId"
"""On a dead letter that our function wrote: the id that the message had in its own queue."""

KIND = "crier.kind"
"""On a dead letter that our function wrote; absent, or `GAVE_UP`."""

GAVE_UP = "gave-up"
"""The kind of a dead letter that breaks no contract: its slice goes on once it is redriven."""

REDRIVEN = "crier.redriven"
"""On a slice message that `crier redrive` has put back; in the broadcast queue it says nothing."""

OURS: Final = frozenset({REASON, MESSAGE_ID, KIND, REDRIVEN})

MOST = 10
"""How many attributes a message has at most."""

MOST_BYTES = 1_048_576
"""The size of a message: its body, and the name, type and value of each attribute.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html
"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One message attribute: its type, as `String` or `Number.price`, and its value.

    The value is bytes for the type Binary, and a text for any other; it is never empty.
    """

    data_type: str
    value: str | bytes

    def __post_init__(self) -> None:
        """Refuse what SQS does not take. Raises ValueError."""
        if not isinstance(self.data_type, str):
            raise ValueError(f"the type is {self.data_type!r}, expected a string")  # noqa: TRY004
        expected = {"String": str, "Number": str, "Binary": bytes}.get(self._base)
        if expected is None or not isinstance(self.value, expected) or not self.value:
            raise ValueError(
                f"type {self.data_type} has a value of {type(self.value).__name__}, expected "
                "String or Number with a text, or Binary with bytes, and a value that is not empty"
            )

    @property
    def _base(self) -> str:
        return self.data_type.split(".", 1)[0]

    @property
    def is_binary(self) -> bool:
        """Whether the value is bytes."""
        return isinstance(self.value, bytes)

    @property
    def size_bytes(self) -> int:
        """What type and value count for in the size of a message."""
        return _size_bytes(self.data_type) + _size_bytes(self.value)

    def as_sqs(self) -> dict[str, Any]:
        """Return the attribute as the API of SQS has it."""
        kind = "BinaryValue" if self.is_binary else "StringValue"
        return {"DataType": self.data_type, kind: self.value}


Attributes = Mapping[str, Attribute]


class LeftOut(NamedTuple):
    """An attribute that is not kept, and why."""

    name: str
    why: str


def text_of(attributes: Attributes, name: str) -> str:
    """Return the text of an attribute; empty when there is no such attribute of type String."""
    found = attributes.get(name)
    is_text = found is not None and found.data_type == "String"
    return str(found.value) if found is not None and is_text else ""


def read_sqs(found: Mapping[str, Any]) -> dict[str, Attribute]:
    """Return attributes as the API of SQS answers them; those that cannot be read are left out."""
    return readable(
        (name, one.get("DataType"), one.get("BinaryValue") or one.get("StringValue"))
        for name, one in found.items()
    )


def readable(found: Iterable[tuple[str, Any, Any]]) -> dict[str, Attribute]:
    """Return attributes made of names, types and values; wrong ones are left out."""
    attributes = {}
    for name, data_type, value in found:
        try:
            attributes[name] = Attribute(data_type, value)
        except ValueError:
            continue
    return attributes


def size_bytes(attributes: Attributes) -> int:
    """Return what attributes count for in the size of a message."""
    return sum(_size_bytes(name) + one.size_bytes for name, one in attributes.items())


def fit(
    theirs: Attributes, *, places: int, room_bytes: int
) -> tuple[dict[str, Attribute], tuple[LeftOut, ...]]:
    """Return the attributes of a producer that are kept, and those that are left out.

    Those with a name of ours are left out. Of the others the smallest are kept first, so that as
    many as possible are kept.
    """
    kept: dict[str, Attribute] = {}
    left_out = [LeftOut(name, "the name is Crier's") for name in sorted(OURS & set(theirs))]
    others = {name: one for name, one in theirs.items() if name not in OURS}
    for name in sorted(others, key=lambda one: (size_bytes({one: others[one]}), one)):
        size = size_bytes({name: others[name]})
        if len(kept) >= places:
            left_out.append(LeftOut(name, f"a message has {MOST} at most"))
        elif size > room_bytes:
            left_out.append(LeftOut(name, f"no room for its {size:,} bytes"))
        else:
            kept[name] = others[name]
            room_bytes -= size
    return kept, tuple(left_out)


def told(left_out: Iterable[LeftOut]) -> str:
    """Return in words which attributes were left out; empty when none was."""
    shown = ", ".join(f"{one.name} ({one.why})" for one in left_out)
    return f"; attributes left out: {shown}" if shown else ""


def _size_bytes(value: str | bytes) -> int:
    return len(value.encode(errors="surrogatepass") if isinstance(value, str) else value)
