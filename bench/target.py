"""A target, the figure that was measured for it, and whether it is met."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Source = Literal["counted", "timed", "modelled"]
"""In the testbed, on this machine's clock, or by the model of DynamoDB's conflicts and units."""

_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target. `figure` and `met` are None when what the figure needs was not measured."""

    name: str
    target: str
    """The limit and its unit, in words."""
    figure: float | str | None = None
    """A number in the target's unit, or several numbers in words."""
    met: bool | None = None
    worst_run: str | None = None
    """The run that the figure is of, where several runs are judged by the worst of them."""
    source: Source | None = None
    """How the figure was found, where that differs from target to target."""

    def facts(self) -> dict[str, Any]:
        """Return what JSON holds of it; the last two attributes only where they say something."""
        optional = ("worst_run", "source")
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None or name not in optional
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit of a figure that is one number."""

    relation: Literal["≤", "≥"]
    value: float
    unit: str = ""

    def judge(self, name: str, figure: float | None, *, worst_run: str | None = None) -> Target:
        """Return the target with this limit, and whether a figure keeps it."""
        return Target(
            name=name,
            target=f"{self.relation} {self.value:,g} {self.unit}".rstrip(),
            figure=None if figure is None else round(figure, _DIGITS),
            met=None if figure is None else self._is_kept(figure),
            worst_run=worst_run,
        )

    def _is_kept(self, figure: float) -> bool:
        return figure <= self.value if self.relation == "≤" else figure >= self.value
