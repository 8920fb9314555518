"""Numbers in sentences: one thing, two things."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as in `1 slice` or `2,000 slices`.

    `plural` is for a noun that needs more than an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
