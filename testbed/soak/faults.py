"""What the functions suffer in a soak."""

from testbed.wire_faults import WireFault

_TROUBLES = ("throttle", "break", "lose")
_DEATHS = ("kill_before", "kill_after")


def _faults(
    function: str, operations: tuple[str, ...], kinds: tuple[str, ...], share: float
) -> list[WireFault]:
    return [
        WireFault(function=function, operation=operation, kind=kind, share=share)
        for operation in operations
        for kind in kinds
    ]


_BROADCAST = ("GetItem", "PutItem", "UpdateItem", "TransactWriteItems", "Query", "SendMessage")
_DEADLY = ("PutItem", "UpdateItem", "TransactWriteItems", "SendMessage")
_CLIENT_FRAME = ("UpdateItem", "BatchWriteItem", "BatchGetItem", "Query")

FAULTS = (
    *_faults("Broadcast", _BROADCAST, _TROUBLES, 0.03),
    *_faults("Broadcast", _DEADLY, _DEATHS, 0.01),
    *_faults("Broadcast", ("BatchWriteItem",), ("unprocessed",), 0.3),
    *_faults("ClientFrame", _CLIENT_FRAME, _TROUBLES, 0.03),
    *_faults("ClientFrame", _CLIENT_FRAME, _DEATHS, 0.01),
    *_faults("ClientFrame", ("BatchWriteItem",), ("unprocessed",), 0.3),
    *_faults("Disconnect", ("DeleteItem", "BatchWriteItem"), _TROUBLES, 0.03),
    *_faults("Disconnect", ("DeleteItem", "BatchWriteItem"), _DEATHS, 0.05),
)
"""Some functions die, and every third broadcast has a fault; a dead one leaves rows behind."""
