"""Which address of a host is tried next."""

import socket

from delivery.http.addresses import Address, Addresses, Route

A: Address = (socket.AF_INET, ("192.0.2.1", 443))
B: Address = (socket.AF_INET, ("192.0.2.2", 443))
C: Address = (socket.AF_INET6, ("2001:db8::1", 443, 0, 0))


def _addresses(*found: Address) -> Addresses:
    addresses = Addresses()
    addresses.replace(found)
    return addresses


def _next(addresses: Addresses) -> Route:
    return next(addresses.in_order())


def test_addresses_are_taken_in_turn() -> None:
    """They share the load."""
    addresses = _addresses(A, B, C)

    taken = [_next(addresses).address for _ in range(6)]

    assert taken == [A, B, C, A, B, C]


def test_addresses_are_taken_once_each_when_a_look_up_names_one_twice() -> None:
    """For example, once for each of several protocols."""
    assert len(_addresses(A, B, A)) == 2


def test_addresses_leave_out_one_that_has_failed() -> None:
    """While another one has not failed."""
    addresses = _addresses(A, B)
    _next(addresses).has_failed = True

    taken = [_next(addresses).address for _ in range(3)]

    assert taken == [B, B, B]
    assert not addresses.have_all_failed


def test_addresses_are_all_taken_again_when_all_have_failed() -> None:
    """One of them may work by now."""
    addresses = _addresses(A, B)
    for route in addresses.in_order():
        route.has_failed = True

    taken = [_next(addresses).address for _ in range(4)]

    assert addresses.have_all_failed
    assert taken == [A, B, A, B]


def test_addresses_prefer_one_with_fewer_openings_under_way() -> None:
    """The other one may swallow what is sent to it."""
    addresses = _addresses(A, B)
    _next(addresses).opening = 2

    taken = []
    for _ in range(3):
        route = _next(addresses)
        route.opening += 1
        taken.append(route.address)

    assert taken == [B, B, A]


def test_addresses_get_another_chance_when_their_failures_are_forgotten() -> None:
    """A run is over."""
    addresses = _addresses(A, B)
    _next(addresses).has_failed = True

    addresses.forget_failures()

    assert {_next(addresses).address for _ in range(2)} == {A, B}


def test_addresses_remember_what_they_know_when_they_are_found_again() -> None:
    """What is new has not failed; what is not found any more is forgotten."""
    addresses = _addresses(A, B)
    _next(addresses).has_failed = True

    addresses.replace([C, A])

    assert [route.address for route in addresses.in_order()] == [C, A]


def test_addresses_stay_in_use_when_they_are_replaced_in_the_middle() -> None:
    """Another thread may bring a look-up's result while one goes through them."""
    addresses = _addresses(A, B)

    tried = []
    for route in addresses.in_order():
        tried.append(route.address)
        addresses.replace([C])

    assert tried == [A, B]
    assert _next(addresses).address == C
