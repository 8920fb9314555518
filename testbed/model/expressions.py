"""DynamoDB's expressions, as far as our requests use them: conditions and updates of one row.

A condition is made of comparisons, BETWEEN, `attribute_exists`, `attribute_not_exists`,
`begins_with` and `contains` with AND, OR and parentheses; an operand may be `size(…)`. An update
has the clauses SET, REMOVE, ADD and DELETE. Anything else is an error: the model knows what it can
tell.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Row = Mapping[str, Any]

_TOKEN: Final = re.compile(r"\s*(<=|>=|<>|[=<>()+,-]|[#:]?[\w.]+)")
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLAUSES: Final = ("SET", "REMOVE", "ADD", "DELETE")


def holds(row: Row | None, request: Mapping[str, Any], key: str = "ConditionExpression") -> bool:
    """Tell whether a row, None when there is none, meets a condition of a request."""
    text = request.get(key)
    return text is None or _Reader(text, row or {}, request).condition()


def updated(row: Row, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the update of a request makes it."""
    return _Reader(request["UpdateExpression"], row, request).update()


class _Reader:
    """Reads one expression, with the row that it is about."""

    def __init__(self, text: str, row: Row, request: Mapping[str, Any]) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"found {text!r}, expected what the model knows")
        self._row = row
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})

    def condition(self) -> bool:
        result = self._or()
        if self._tokens:
            raise ValueError(f"found {self._tokens} behind a condition, expected its end")
        return result

    def update(self) -> dict[str, Any]:
        new = dict(self._row)
        while self._tokens:
            clause = self._next()
            if clause not in _CLAUSES:
                raise ValueError(f"found {clause!r}, expected one of {_CLAUSES}")
            self._assign(clause, new)
            while self._take(","):
                self._assign(clause, new)
        return new

    def _assign(self, clause: str, new: dict[str, Any]) -> None:
        name = self._name(self._next())
        if clause == "REMOVE":
            new.pop(name, None)
        elif clause == "SET":
            self._expect("=")
            new[name] = self._sum()
        else:
            self._change_set_or_number(clause, name, new)

    def _change_set_or_number(self, clause: str, name: str, new: dict[str, Any]) -> None:
        ((kind, value),) = self._values[self._next()].items()
        if kind == "N":
            before = int(new.get(name, {"N": "0"})["N"])
            new[name] = {"N": str(before + int(value))}
            return
        before_set = set(new.get(name, {}).get("SS", ()))
        after = before_set | set(value) if clause == "ADD" else before_set - set(value)
        new.pop(name, None)
        if after:  # DynamoDB has no empty sets
            new[name] = {"SS": sorted(after)}

    def _sum(self) -> Any:
        first = self._operand()
        while self._tokens and self._tokens[0] in "+-":
            sign = 1 if self._next() == "+" else -1
            first = {"N": str(int(first["N"]) + sign * int(self._operand()["N"]))}
        return first

    def _or(self) -> bool:
        result = self._and()
        while self._take("OR"):
            result = self._and() or result
        return result

    def _and(self) -> bool:
        result = self._one()
        while self._take("AND"):
            result = self._one() and result
        return result

    def _one(self) -> bool:
        if self._take("("):
            result = self._or()
            self._expect(")")
            return result
        if self._tokens[0] in ("attribute_exists", "attribute_not_exists"):
            function, name = self._next(), self._arguments()[0]
            return (self._name(name) in self._row) == (function == "attribute_exists")
        if self._tokens[0] in ("begins_with", "contains"):
            function, (first, second) = self._next(), self._arguments()
            found, value = self._value(first), self._value(second)
            if found is None:
                return False
            return value in found if function == "contains" else found.startswith(value)
        return self._comparison()

    def _comparison(self) -> bool:
        left, sign = self._plain(self._operand()), self._next()
        if sign == "BETWEEN":
            low = self._plain(self._operand())
            self._expect("AND")
            high = self._plain(self._operand())
            return left is not None and bool(low <= left <= high)
        right = self._plain(self._operand())
        if left is None or right is None or type(left) is not type(right):
            return False
        return _COMPARISONS[sign](left, right)

    def _operand(self) -> Any:
        if self._tokens[0] == "size":
            self._next()
            found = self._value(self._arguments()[0])
            return None if found is None else {"N": str(len(found))}
        token = self._next()
        return self._values[token] if token.startswith(":") else self._row.get(self._name(token))

    def _value(self, token: str) -> Any:
        found = self._values[token] if token.startswith(":") else self._row.get(self._name(token))
        return self._plain(found)

    @staticmethod
    def _plain(attribute: Any) -> Any:
        if attribute is None:
            return None
        ((kind, value),) = attribute.items()
        return float(value) if kind == "N" else value

    def _arguments(self) -> list[str]:
        self._expect("(")
        found = [self._next()]
        while self._take(","):
            found.append(self._next())
        self._expect(")")
        return found

    def _name(self, token: str) -> str:
        return str(self._names[token]) if token.startswith("#") else token

    def _next(self) -> str:
        return str(self._tokens.pop(0))

    def _take(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"found {self._tokens}, expected {token!r} first")
