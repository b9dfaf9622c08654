"""The command line as a whole: quick help, errors in one line, exit codes that scripts can rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from tests.docs.command_lines import check, commands_below, words_of
from vss.cli.main import COMMANDS, main
from vss.errors import ConfigError, SourceUnavailable

VSS = str(Path(sys.executable).with_name("vss"))


@click.command()
@click.argument("kind")
def fails(kind: str) -> None:
    """Stands in for a command in which something goes wrong."""
    if kind == "usage":
        raise ConfigError("the setting is wrong", fix="give another")
    if kind == "camera":
        raise SourceUnavailable("rtsp://admin:hunter2@gate/ does not answer", fix="look at rtsp://admin:hunter2@gate/")
    if kind == "interrupt":
        raise KeyboardInterrupt
    raise RuntimeError("nobody foresaw this")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "fails", (f"{__name__}:fails", "Fail."))
    monkeypatch.delenv("VSS_DEBUG", raising=False)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_help_is_there_within_four_tenths_of_a_second() -> None:
    times_s = []
    for _ in range(7):
        start_s = time.monotonic()
        subprocess.run([VSS, "--help"], check=True, capture_output=True)
        times_s.append(time.monotonic() - start_s)
    assert min(times_s) < 0.4, times_s


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_shows_examples_that_parse(name: str) -> None:
    for path, command in commands_below(name):
        if isinstance(command, click.Group):
            continue
        help_ = command.get_help(click.Context(command, info_name=path))
        _, _, examples = help_.partition("Example:\n")
        lines = [line.strip() for line in examples.splitlines()]
        # The command stands at the start of a line, or in a pipe or `$(…)` of it.
        assert [line for line in lines if path in line], f"{path} --help shows no example"
        for line in lines:
            if line.startswith("vss "):
                check(words_of(line)[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    for path, command in commands_below(name):
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


def test_a_mistyped_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("statsu") == 2
    assert capsys.readouterr().err == "error: no such command: statsu; did you mean status?\nfix:   see `vss --help`\n"


def test_a_mistyped_option_is_one_line_with_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--jsn") == 2
    error, fix = capsys.readouterr().err.splitlines()
    assert error.startswith("error: No such option")
    assert fix == "fix:   see `vss status --help`"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Commands:" in "".join(capsys.readouterr())


@pytest.mark.usefixtures("failing")
def test_an_error_of_ours_is_one_line_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fails", "usage") == 2
    assert capsys.readouterr().err == "error: the setting is wrong\nfix:   give another\n"


@pytest.mark.usefixtures("failing")
def test_what_may_pass_exits_with_one_and_passwords_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fails", "camera") == 1
    shown = capsys.readouterr().err
    assert shown == "error: rtsp://admin:***@gate/ does not answer\nfix:   look at rtsp://admin:***@gate/\n"


@pytest.mark.usefixtures("failing")
def test_a_bug_of_ours_says_so_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fails", "bug") == 1
    shown = capsys.readouterr().err
    assert "unexpected RuntimeError: nobody foresaw this" in shown
    assert "--debug" in shown
    assert "Traceback" not in shown


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("arguments", [("--debug", "fails", "camera"), ("fails", "camera", "--debug")])
def test_debug_shows_the_traceback_and_changes_nothing_else(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert shown.endswith("error: rtsp://admin:***@gate/ does not answer\nfix:   look at rtsp://admin:***@gate/\n")
    assert "hunter2" not in shown


@pytest.mark.usefixtures("failing")
def test_ctrl_c_exits_as_shells_expect() -> None:
    assert run("fails", "interrupt") == 130


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run([VSS, "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from vss import __version__

    assert run("--version") == 0
    assert capsys.readouterr().out == f"vss, version {__version__}\n"


@pytest.mark.parametrize("name", ["bench", "models", "topics", "worker"])
def test_a_groups_help_shows_what_its_commands_do_in_whole_sentences(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(name, "--help") == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands
