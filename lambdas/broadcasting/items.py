"""Rows as the API of DynamoDB has them: a key, and attributes that each name their type."""

from typing import Any, TypedDict

PARTITION_KEY, SORT_KEY = "pk", "sk"

EXPIRY = "expiresAt"
"""The attribute after which DynamoDB deletes a row, in epoch seconds; days late, as a rule."""

Key = tuple[str, str]
"""The partition key and the sort key of a row."""


class Attribute(TypedDict, total=False):
    """One attribute: a text, a number in digits, bytes, or a set of texts; never two of them."""

    S: str
    N: str
    B: bytes
    SS: list[str]


Item = dict[str, Attribute]
"""A row, by the names of its attributes."""


def key_attributes(key: Key) -> Item:
    """Return a key as the attributes of a row."""
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}


def attribute_of(value: int | str | bytes) -> Attribute:
    """Return a value as an attribute."""
    if isinstance(value, int):
        return {"N": str(value)}
    return {"B": value} if isinstance(value, bytes) else {"S": value}


def value_of(attribute: Attribute) -> Any:
    """Return the value of an attribute. Raises KeyError or ValueError when its type is another."""
    if "N" in attribute:
        return int(attribute["N"])
    return attribute["B"] if "B" in attribute else attribute["S"]
