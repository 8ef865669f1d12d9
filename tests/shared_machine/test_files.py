"""The shared machine's files, each checked by the program that will read it, where that is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.shared_machine.schema import FOLDER

from telem.agent.config import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
TEMPLATE = (FOLDER / ".env.template").read_text(encoding="utf-8")
SCRIPTS = sorted(FOLDER.glob("*.sh"))
PROFILES = ("hub", "tls", "clickhouse", "grafana", "prometheus")


def run(*command: str, cwd: Path = FOLDER, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60, env=os.environ | env
    )


def compose() -> list[str]:
    """The compose program, as a plugin or alone; its `config` needs no engine."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and run(*command, "version").returncode == 0:
            return command
    pytest.skip("docker compose is not installed")


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_accepts_each_profile(profile: str, tmp_path: Path) -> None:
    command = compose()
    copy = tmp_path / "optional-docker"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("secrets", ".env"))
    shutil.copy(copy / ".env.template", copy / ".env")
    done = run(*command, "--profile", profile, "config", "--format", "json", cwd=copy)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert profile in services
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "healthcheck" in service
    assert [name for name, service in services.items() if service.get("ports")] == (["tls"] if profile == "tls" else [])


def test_every_variable_has_a_default_and_stands_in_the_template() -> None:
    used = re.findall(r"\$\{(\w+)(:-[^}]*)?\}", COMPOSE)
    assert [name for name, default in used if not default] == []
    offered = set(re.findall(r"^(\w+)=", TEMPLATE, re.MULTILINE))
    assert {name for name, _ in used} - offered <= {"TELEM_AGENT_VERSION"}
    assert offered <= {name for name, _ in used}


def test_every_setting_of_the_hub_is_one() -> None:
    known = {setting.env for setting in SETTINGS}
    assert set(re.findall(r"TELEM_AGENT_\w+", COMPOSE)) - {"TELEM_AGENT_VERSION"} <= known


def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_the_image_s_requirements_are_the_program_s_own_and_locked() -> None:
    """Every direct dependency with a version and hashes, the same as elsewhere, and nothing of the tests."""
    here, everywhere = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))
        for path in (FOLDER / "requirements.lock", FOLDER.parent / "requirements.lock")
    )
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[>=; ]", dependency)[0] for dependency in project["dependencies"]}
    assert wanted <= here.keys()
    assert here.items() <= everywhere.items()
    assert not here.keys() & {"pytest", "ruff", "chdb", "mypy", "hypothesis"}
    text = (FOLDER / "requirements.lock").read_text()
    assert len(re.findall(r"==\S+.* \\\n    --hash=", text)) == len(here)
    assert "http" not in text.replace("aiohttp", "")


def test_what_the_image_copies_is_there_and_is_enough(tmp_path: Path) -> None:
    """The wheel that is built of it has every file of the rooms."""
    for source in copied():
        there = FOLDER.parent / source
        assert there.exists(), source
        if there.is_dir():
            shutil.copytree(there, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
        elif "optional-docker" not in source:
            shutil.copy(there, tmp_path)
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("telem/")}
    rooms = [FOLDER.parent / room for room in ("agent", "queries", "sanitize", "storage")]
    expected = {
        path.relative_to(room).as_posix()
        for room in rooms
        for path in (room / "telem").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == expected


def test_images_are_pinned() -> None:
    images = re.findall(
        r"(?:image: \$\{\w+:-|FROM )(docker\.io/\S+?)[}\s]", COMPOSE + (FOLDER / "Dockerfile").read_text()
    )
    assert len(images) == 6
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_are_executable(script: Path) -> None:
    assert run("bash", "-n", str(script)).returncode == 0
    assert script.stat().st_mode & 0o111


def test_init_makes_secrets_once_and_keeps_them(tmp_path: Path) -> None:
    for name in ("init.sh", ".env.template"):
        shutil.copy(FOLDER / name, tmp_path / name)
    assert run("bash", "init.sh", cwd=tmp_path).returncode == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir() if path.is_file()}
    assert {"grafana_admin", "clickhouse_administrator", "clickhouse_coordinator", "hub_metrics"} == set(first)
    assert (tmp_path / "secrets/clickhouse_administrator").stat().st_mode & 0o077 == 0
    assert run("bash", "init.sh", cwd=tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir() if path.is_file()} == first
    digests = (tmp_path / "secrets/clickhouse/passwords.xml").read_text(encoding="utf-8")
    assert first["clickhouse_coordinator"].decode() not in digests


def test_no_secret_can_be_committed() -> None:
    root = FOLDER.parent
    for name in ("optional-docker/secrets/x", "optional-docker/.env"):
        assert run("git", "check-ignore", "-q", name, cwd=root).returncode == 0, name


def test_caddy_accepts_its_file() -> None:
    done = run(tool("caddy"), "validate", "--config", "caddy/Caddyfile", "--adapter", "caddyfile", HUB_NAME="localhost")
    assert done.returncode == 0, done.stderr[-1000:]


def test_prometheus_accepts_its_files(tmp_path: Path) -> None:
    program = tool("promtool")
    assert run(program, "check", "rules", "prometheus/rules.yml").returncode == 0
    (tmp_path / "token").write_text("x", encoding="utf-8")
    text = (FOLDER / "prometheus/prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/hub_metrics", str(tmp_path / "token")))
    shutil.copy(FOLDER / "prometheus/rules.yml", tmp_path)
    done = run(program, "check", "config", "prometheus.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_promql_query_parses(tmp_path: Path) -> None:
    """As a recording rule, which promtool checks."""
    queries = sorted((FOLDER / "prometheus/queries").glob("*.promql"))
    assert len(queries) >= 5
    rules = [{"record": f"q:{number}", "expr": path.read_text(encoding="utf-8")} for number, path in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = run(tool("promtool"), "check", "rules", str(tmp_path / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing() -> None:
    done = run(tool("hadolint"), "Dockerfile")
    assert done.returncode == 0, done.stdout
