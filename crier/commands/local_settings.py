"""Deploy settings of the local run: `--setting NAME=VALUE`, checked before anything is started."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from crier.paths import ROOT

_OF_THE_RUN = ("stage", "localCallbackBase")
_ANY_BASE = "http://127.0.0.1"

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="NAME=VALUE",
        help="A deploy setting, such as auth=ticket; give it again for another one.",
        show_default=False,
    ),
]


def read_settings(given: Sequence[str]) -> dict[str, str]:
    """Return deploy settings by their names. Raises typer.BadParameter for what is none."""
    settings: dict[str, str] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name or set(name) & set(":/"):
            raise _refused(f"found {one!r}, expected NAME=VALUE, such as auth=ticket")
        if name in _OF_THE_RUN:
            raise _refused(f"{name} is what the local run sets itself: take it out")
        if name in settings:
            raise _refused(f"{name} is given twice: take one out")
        settings[name] = value
    if settings:
        _check(settings)
    return settings


def _check(settings: Mapping[str, str]) -> None:
    """Refuse what the deploy would, together with what the CDK reads from its files."""
    # An installed crier, which has no local run, has no stacks either.
    from stacks.context_files import context_in  # noqa: PLC0415
    from stacks.settings import DeploySettings, SettingsError  # noqa: PLC0415

    of_the_run = dict(zip(_OF_THE_RUN, ("dev", _ANY_BASE), strict=True))
    try:
        DeploySettings.from_context({**context_in(ROOT), **settings, **of_the_run})
    except SettingsError as error:
        raise _refused(str(error).replace("(-c", "(--setting")) from error


def _refused(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--setting")
