"""Where a context name that is no setting comes from."""

import json
from pathlib import Path

import pytest

from stacks import context_files
from stacks.context_files import origin
from stacks.settings import DeploySettings, SettingsError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's home: nothing is in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the CDK is called in: nothing is in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project's cdk.json, which is not there."""
    path = tmp_path / "project" / "cdk.json"
    path.parent.mkdir()
    monkeypatch.setattr(context_files, "_PROJECT", path)
    return path


@pytest.mark.usefixtures("here", "project")
def test_name_is_traced_to_the_users_own_file(home: Path) -> None:
    """A name of ~/.cdk.json, which every CDK app is given, is refused with that file's path."""
    path = home / ".cdk.json"
    path.write_text('{"context": {"team": "web"}}')

    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"team": "web"})

    assert str(caught.value).startswith(
        f"there is no setting 'team'. It comes from {path}: take it out there. Settings are: acc"
    )


@pytest.mark.usefixtures("here", "project")
def test_name_is_to_be_renamed_when_a_setting_has_a_name_like_it(home: Path) -> None:
    """What was meant is not taken out."""
    path = home / ".cdk.json"
    path.write_text('{"context": {"producer": []}}')

    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"producer": []})

    assert str(caught.value).startswith(
        "there is no setting 'producer'; did you mean producers? "
        f"It comes from {path}: rename it there."
    )


@pytest.mark.usefixtures("home", "project")
@pytest.mark.parametrize(
    ("name", "content"),
    [("cdk.json", {"context": {"team": "web"}}), ("cdk.context.json", {"team": "web"})],
)
def test_name_is_traced_to_a_file_where_the_cdk_is_called(
    here: Path, name: str, content: object
) -> None:
    """The context is an object of its own in cdk.json, and all of cdk.context.json."""
    (here / name).write_text(json.dumps(content))

    said = origin("team")

    assert said == f"It comes from {here / name}: take it out there."


@pytest.mark.usefixtures("home", "here")
def test_name_is_traced_to_the_projects_file_when_the_cdk_is_called_elsewhere(
    project: Path,
) -> None:
    """The app reads the cdk.json of its own project wherever it runs."""
    project.write_text('{"context": {"team": "web"}}')

    said = origin("team")

    assert said == f"It comes from {project}: take it out there."


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"team"', '{"context": ["team"]}', '{"team": {"context": 1}}', "\x00"]
)
def test_name_comes_from_the_command_line_when_no_file_has_it(
    home: Path, here: Path, text: str
) -> None:
    """All places are named; a file that is none of the CDK's has no names."""
    (here / "cdk.json").write_text(text)
    (home / ".cdk.json").write_text(text)

    said = origin("team")

    assert said == (
        "It comes from the command line (-c): the context of cdk.json and ~/.cdk.json, and "
        "cdk.context.json, do not have it."
    )


@pytest.mark.usefixtures("here", "project")
def test_wrong_value_is_traced_to_the_file_that_has_it(home: Path) -> None:
    """The command line wins over the files, so a value that they do not have is from there."""
    path = home / ".cdk.json"
    path.write_text('{"context": {"stage": "test"}}')

    with pytest.raises(SettingsError) as of_file:
        DeploySettings.from_context({"stage": "test"})
    with pytest.raises(SettingsError) as of_command_line:
        DeploySettings.from_context({"stage": "beta"})

    assert str(of_file.value) == f"stage is 'test', expected dev or prod (in {path})"
    assert str(of_command_line.value) == "stage is 'beta', expected dev or prod (-c stage=…)"


@pytest.mark.usefixtures("home", "project")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("producers", ["news", "weather"]),
        ("producers", "news,weather"),
        ("producers", ["news"]),
        ("producers", "news"),
        ("producers", {"news": 1}),
        ("postsInFlight", "0"),
        ("postsInFlight", 0),
    ],
)
def test_wrong_value_is_traced_to_its_file_whatever_type_it_has(
    here: Path, name: str, value: object
) -> None:
    """A list becomes a tuple and a text a number before some of their faults are seen."""
    path = here / "cdk.json"
    path.write_text(json.dumps({"context": {name: value}}))

    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({name: value})

    assert str(caught.value).startswith(f"{name} ")
    assert str(caught.value).endswith(f" (in {path})")


@pytest.mark.usefixtures("home", "project")
def test_wrong_producer_is_traced_to_the_command_line_when_no_file_has_it(here: Path) -> None:
    """The list of the file is another one."""
    (here / "cdk.json").write_text('{"context": {"producers": ["weather"]}}')

    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context({"producers": "news"})

    assert str(caught.value).endswith(" (-c producers=…)")
