"""Signals: they interrupt waits, and leave alone what is being started or ended."""

import os
import signal
from collections.abc import Iterator

import pytest

from crier.local.interrupts import Interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Yield what takes the signals of this process, until the test has ended."""
    # One that is ignored, as under nohup, is left alone: here none is.
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    interrupts = Interrupts()
    interrupts.listen()
    yield interrupts
    for number, handler in handlers.items():
        signal.signal(number, handler)


def send(*numbers: signal.Signals) -> None:
    """Send signals to this process."""
    for number in numbers:
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_interrupts_a_wait(interrupts: Interrupts, number: signal.Signals) -> None:
    """Ctrl-C, being told to end and a closed terminal end a wait alike."""
    with pytest.raises(KeyboardInterrupt), interrupts.waiting():
        send(number)


def test_signals_disturb_nothing_when_a_wait_was_interrupted(interrupts: Interrupts) -> None:
    """An impatient second Ctrl-C does not keep the clean-up from its end."""
    cleaned_up = False

    def wait_and_clean_up() -> None:
        nonlocal cleaned_up
        try:
            with interrupts.waiting():
                send(signal.SIGINT)
        finally:
            send(*SIGNALS)
            cleaned_up = True

    with pytest.raises(KeyboardInterrupt):
        wait_and_clean_up()

    assert cleaned_up


def test_signal_is_kept_for_the_next_wait_when_it_comes_before(interrupts: Interrupts) -> None:
    """What is being started is not interrupted, and so is known to the clean-up."""
    waited = False
    send(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), interrupts.waiting():
        waited = True

    assert not waited


def test_signals_disturb_nothing_when_the_wait_is_over(interrupts: Interrupts) -> None:
    """A signal after the last wait changes nothing: the work is done."""
    with interrupts.waiting():
        pass

    send(*SIGNALS)


def test_closed_terminal_is_ignored_when_it_was_before(interrupts: Interrupts) -> None:
    """A user that starts a run with `nohup` wants it to survive the terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    interrupts.listen()

    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
