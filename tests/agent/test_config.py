"""Settings: flag before environment before file before default, and errors that say where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telem.agent.config import SETTINGS, ConfigError, Setting, load
from telem.agent.homes import default_home

BY_NAME = {setting.name: setting for setting in SETTINGS}


def loaded(
    home: Path, flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None, toml: str = ""
) -> Any:
    (home / "config.toml").write_text(toml, encoding="utf-8")
    return load({"home": str(home), **(flags or {})}, environ or {})


def test_the_flag_beats_the_environment_beats_the_file_beats_the_default(home: Path) -> None:
    """In this order, and an absent one does not count."""
    toml, environ, flags = "query_port = 3", {"TELEM_AGENT_QUERY_PORT": "2"}, {"query_port": "1"}
    assert loaded(home).query_port == 8123
    assert loaded(home, toml=toml).query_port == 3
    assert loaded(home, environ=environ, toml=toml).query_port == 2
    assert loaded(home, flags, environ, toml).query_port == 1
    assert loaded(home, {"query_port": None}, environ, toml).query_port == 2


def test_home_comes_from_the_flag_or_the_environment(home: Path) -> None:
    """It says where the file lies, so it cannot stand in it."""
    assert load({"home": str(home)}, {"TELEM_AGENT_HOME": "/elsewhere"}).home == home
    assert load({}, {"TELEM_AGENT_HOME": str(home)}).home == home
    assert load({"home": "~/x"}, {}).home == Path.home() / "x"
    assert load({"home": "x"}, {}).home == Path.cwd() / "x"
    with pytest.raises(ConfigError, match="home"):
        loaded(home, toml='home = "/elsewhere"')


def test_without_a_home_the_users_data_folder_is_used(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """As the platform has it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    assert load({}, {}).home == default_home()
    assert load({"home": ""}, {"TELEM_AGENT_HOME": ""}).home == default_home()


@pytest.mark.parametrize("setting", SETTINGS[1:], ids=lambda setting: setting.name)
def test_every_setting_can_be_given_in_every_way(setting: Setting, home: Path) -> None:
    """Its own default is accepted as flag, in the environment and in the file, and gives itself back."""
    default = setting.default
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    value = list(default) if isinstance(default, tuple) else default
    toml = f"{setting.name} = {value!r}"
    for config in (
        loaded(home, {setting.name: text}),
        loaded(home, environ={setting.env: text}),
        loaded(home, toml=toml),
    ):
        assert getattr(config, setting.name) == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("otlp_http_port", "many"),
        ("otlp_http_port", "65536"),
        ("query_port", "-1"),
        ("body_limit_bytes", "0"),
        ("segment_age_s", "0"),
        ("segment_age_s", "1.5"),
        ("profile", "loose"),
        ("log_level", "INFO"),
        ("bind", "0.0.0.0"),
        ("bind", "192.168.0.1"),
    ],
)
def test_a_value_that_cannot_be_is_refused_wherever_it_stands(name: str, value: str, home: Path) -> None:
    """The message names the setting, the place and the value."""
    given: tuple[tuple[dict[str, Any], str], ...] = (
        ({"flags": {name: value}}, BY_NAME[name].flag),
        ({"environ": {BY_NAME[name].env: value}}, BY_NAME[name].env),
        ({"toml": f'{name} = "{value}"'}, str(home / "config.toml")),
    )
    for way, place in given:
        with pytest.raises(ConfigError) as caught:
            loaded(home, **way)
        assert place in str(caught.value)
        assert name in str(caught.value)
        assert value in str(caught.value)


@pytest.mark.parametrize(
    "toml", ["query_port = true", "query_port = []", "profile = 5", "allowed_hosts = [1]", "allowed_hosts = 5"]
)
def test_a_value_of_the_wrong_kind_in_the_file_is_refused(toml: str, home: Path) -> None:
    """TOML has kinds of its own."""
    with pytest.raises(ConfigError, match=toml.split(maxsplit=1)[0]):
        loaded(home, toml=toml)


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(home: Path) -> None:
    """A typing error must not pass for the default."""
    with pytest.raises(ConfigError) as caught:
        loaded(home, toml="qery_port = 1")
    assert "qery_port" in str(caught.value)
    assert "query_port" in str(caught.value)


@pytest.mark.parametrize("text", [b"query_port = ", b"\xff\xfe"])
def test_a_broken_file_is_named(text: bytes, home: Path) -> None:
    """With what is wrong with it."""
    (home / "config.toml").write_bytes(text)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load({"home": str(home)}, {})


def test_lists_are_split_at_commas(home: Path) -> None:
    """Blanks and empty items do not count."""
    assert loaded(home, {"allowed_hosts": "a.example, b.example,,"}).allowed_hosts == ("a.example", "b.example")
    assert loaded(home, toml='allowed_hosts = ["a", "b"]').allowed_hosts == ("a", "b")


HUB_TABLE = """
log_level = "debug"
[hub]
listen = "0.0.0.0:443"
cert = "chain.pem"
behind_proxy = true
group_size = 5
"""


def test_a_table_of_the_hub_makes_it_one(home: Path) -> None:
    """Its names are those of the settings without `hub_`; flags and environment win as ever."""
    config = loaded(home, toml=HUB_TABLE)
    assert (config.mode, config.hub_listen, config.hub_cert) == ("hub", "0.0.0.0:443", str(home / "chain.pem"))
    assert (config.hub_behind_proxy, config.hub_group_size, config.log_level) == (1, 5, "debug")
    assert loaded(home, toml="[hub]").mode == "hub"
    assert loaded(home, {"mode": "agent"}, toml=HUB_TABLE).mode == "agent"
    assert loaded(home, environ={"TELEM_AGENT_HUB_LISTEN": "[::]:1"}, toml=HUB_TABLE).hub_listen == "[::]:1"


def test_files_are_found_from_anywhere(home: Path) -> None:
    """What the file names lies beside it, what a command names where it was given; a service begins at the root."""
    assert loaded(home, {"hub_cert": "mine.pem"}, toml=HUB_TABLE).hub_cert == str(Path.cwd() / "mine.pem")
    assert loaded(home, environ={"TELEM_AGENT_HUB_CERT": "/its.pem"}, toml=HUB_TABLE).hub_cert == "/its.pem"
    assert loaded(home, toml="hub_cert = '~/x.pem'").hub_cert == str(Path.home() / "x.pem")
    assert loaded(home).hub_cert == ""


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[hub]\nlisen = 'x:1'", r"no setting 'lisen' in \[hub\]; there are listen, cert, cert_key"),
        ("[hub]\nhub_listen = 'x:1'", r"no setting 'hub_listen' in \[hub\]"),
        ("[hub]\nmembers = { ada = 1 }", r"no setting 'members' in \[hub\]"),
        ("[hub]\ngroup_size = 1", "hub_group_size lies between 2 and 1000"),
        ("[hub]\nlisten = 8443", "hub_listen is a text"),
        ("hub_listen = 'x:1'\n[hub]\nlisten = 'x:2'", "hub_listen stands there twice"),
        ("mode = 'agent'\n[hub]", r"mode is 'agent', and there is a table \[hub\]"),
        ("hub = true", "hub is a table"),
        ("[[hub]]\nlisten = 'x:1'", "hub is a table"),
    ],
)
def test_what_is_wrong_in_the_table_of_the_hub_is_named(toml: str, told: str, home: Path) -> None:
    """With the file it stands in."""
    with pytest.raises(ConfigError, match=r"config\.toml: .*" + told):
        loaded(home, toml=toml)
