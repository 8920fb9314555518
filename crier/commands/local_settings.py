"""Deploy settings of the local run, checked before anything is started.

`--setting NAME=VALUE` gives one, `--auth MODE` who may connect, with what that takes.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from crier.local import own_issuer
from crier.paths import ROOT

MODES = ("open", "iam", "jwt", "ticket")

_OF_AN_ISSUER = ("issuer", "audience", "jwksUrl", "jwtSecret")
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

Auth = Annotated[
    str | None,
    typer.Option(
        "--auth",
        metavar="MODE",
        help="Who may connect: open, iam, jwt or ticket. With jwt and no issuer in the settings, "
        "the local run signs a token itself.",
        show_default=False,
    ),
]


def read_settings(given: Sequence[str], auth: str | None = None) -> dict[str, str]:
    """Return deploy settings by their names. Raises typer.BadParameter for what is none.

    `auth` is the mode of `--auth`. With jwt, an issuer of the local run's own is among the
    settings, unless they or the CDK's files have something of an issuer.
    """
    settings = {} if auth is None else {"auth": _mode(auth)}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name or set(name) & set(":/"):
            raise _refused(f"found {one!r}, expected NAME=VALUE, such as auth=ticket")
        if name in _OF_THE_RUN:
            raise _refused(f"{name} is what the local run sets itself: take it out")
        if name in settings:
            also = ", by --auth, too" if name == "auth" and auth is not None else ""
            raise _refused(f"{name} is given twice{also}: take one out")
        settings[name] = value
    return _checked(settings, is_own=auth == "jwt") if settings else {}


def has_own_issuer(settings: Mapping[str, str]) -> bool:
    """Tell whether the local run signs tokens itself."""
    return own_issuer.SETTINGS.items() <= settings.items()


def _mode(auth: str) -> str:
    if auth not in MODES:
        expected = f"{', '.join(MODES[:-1])} or {MODES[-1]}"
        raise typer.BadParameter(f"found {auth!r:.100}, expected {expected}", param_hint="--auth")
    return auth


def _checked(settings: dict[str, str], *, is_own: bool) -> dict[str, str]:
    """Return settings, with an issuer of our own if it may be and there is no other.

    What the deploy would refuse is refused, together with what the CDK reads from its files.
    """
    # An installed crier, which has no local run, has no stacks either.
    from stacks.context_files import context_in  # noqa: PLC0415
    from stacks.settings import DeploySettings, SettingsError  # noqa: PLC0415

    context = {**context_in(ROOT), **settings}
    if is_own and not any(name in context for name in _OF_AN_ISSUER):
        settings = {**settings, **own_issuer.SETTINGS}
    of_the_run = dict(zip(_OF_THE_RUN, ("dev", _ANY_BASE), strict=True))
    try:
        DeploySettings.from_context({**context, **settings, **of_the_run})
    except SettingsError as error:
        raise _refused(str(error).replace("(-c", "(--setting")) from error
    return settings


def _refused(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--setting")
