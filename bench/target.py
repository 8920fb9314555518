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
    limited_by: str | None = None
    """What kept the figure from its limit, where that is not what is judged: then it is met."""
    source: Source | None = None
    """How the figure was found, where that differs from target to target."""

    def facts(self) -> dict[str, Any]:
        """Return what JSON holds of it; the last three attributes only where they say something."""
        optional = ("worst_run", "limited_by", "source")
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

    def judge(
        self,
        name: str,
        figure: float | None,
        *,
        worst_run: str | None = None,
        limited_by: str | None = None,
    ) -> Target:
        """Return the target with this limit, and whether a figure keeps it.

        A figure that misses it is excused by what it was `limited_by`.
        """
        words = f"{self.relation} {self.value:,g} {self.unit}".rstrip()
        if figure is None:
            return Target(name=name, target=words)
        is_kept = self._is_kept(figure)
        return Target(
            name=name,
            target=words,
            figure=round(figure, _DIGITS),
            met=is_kept or limited_by is not None,
            worst_run=worst_run,
            limited_by=None if is_kept else limited_by,
        )

    def _is_kept(self, figure: float) -> bool:
        return figure <= self.value if self.relation == "≤" else figure >= self.value
