"""Manual pages and shell completion: of every command, with every option that its --help has."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from headrace_command import COMMANDS, PROGRAM, needs_program

pytestmark = needs_program
SOURCE = pathlib.Path(os.environ.get("HEADRACE_SOURCE", pathlib.Path(__file__).parent.parent))
COMPLETION = SOURCE / "tools" / "completion"
PAGES = PROGRAM.parent.parent / "share" / "man" / "man1"
HAVE_PAGES = shutil.which("lowdown") and shutil.which("man") and (PAGES / "headrace.1").exists()
needs_pages = pytest.mark.skipif(not HAVE_PAGES, reason="no manual pages: they need lowdown, and man to be read")
needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")


def printed(*args, env=None):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def help_of(*command):
    return printed(PROGRAM, *command, "--help")


def options_of(command):
    return set(re.findall(r"--[a-z][a-z-]*", help_of(command)))


def by_bash(*words):
    """What is offered for the last of the words."""
    line = " ".join(f"'{word}'" for word in ["headrace", *words])
    script = f"""PATH={PROGRAM.parent}:$PATH; source {COMPLETION}/headrace.bash
        COMP_WORDS=({line}) COMP_CWORD={len(words)}; _headrace; printf '%s\\n' "${{COMPREPLY[@]}}" """
    return printed("bash", "-c", script).split()


def by_zsh(*words):
    """The same; what the completion system would offer is printed in its place."""
    line = " ".join(f"'{word}'" for word in ["headrace", *words])
    script = f"""path=({PROGRAM.parent} $path)
        compadd() {{ shift; print -l -- $@ }}; _files() {{ print files }}
        _describe() {{ print -l -- ${{${{(P)2}}%%:*}} }}
        complete_now() {{ local -a words=({line}); local CURRENT={len(words) + 1}; . {COMPLETION}/_headrace }}
        complete_now"""
    offered = printed("zsh", "-f", "-c", script).split()
    return [word for word in offered if word.startswith(words[-1]) or word == "files"]


SHELLS = [pytest.param(by_bash, id="bash"), pytest.param(by_zsh, id="zsh", marks=needs_zsh)]


def page_of(command):
    page = PAGES / (f"headrace-{command}.1" if command else "headrace.1")
    return printed("man", "--warnings", "-l", page, env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8"})


@needs_pages
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_page__of_each_command__reads_well_and_has_all_options(command):
    text = page_of(command)
    assert text.startswith(f"headrace-{command}(1)" if command else "headrace(1)")
    assert "NAME" in text and "SYNOPSIS" in text
    if command == "plan":  # whose options are epoch's
        assert "headrace-epoch(1)" in text
        text += page_of("epoch")
    joined = re.sub(r"[-\u2010]\n\s+", "", text)  # words that are broken at the ends of lines
    for option in options_of(command) if command else COMMANDS:
        assert option in text or option in joined


def test_summaries__of_help_and_manual__are_the_same():
    listed = dict(re.findall(r"^  ([a-z-]+) {2,}([a-z].*)$", help_of(), re.M))
    page = (SOURCE / "docs" / "cli.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| \[([a-z-]+)\]\(#[a-z-]+\) \| (.*) \|$", page, re.M)) == listed
    assert list(listed) == COMMANDS


@pytest.mark.parametrize("complete", SHELLS)
def test_completion__of_the_first_word__is_the_commands(complete):
    assert set(complete("")) == {*COMMANDS, "--help", "--version"}
    assert complete("why") == ["why-died"]


@pytest.mark.parametrize("complete", SHELLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_completion__of_an_option__is_those_of_the_help(complete, command):
    assert set(complete(command, "--")) == options_of(command)


@pytest.mark.parametrize("complete", SHELLS)
def test_completion__of_a_file__is_files(complete, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.hrd").touch()
    assert complete("info", "tr") in (["train.hrd"], ["files"])


@pytest.mark.parametrize("complete", SHELLS)
@pytest.mark.parametrize(("command", "option"), [
    ("convert", "--codec"), ("convert", "--filter"), ("convert", "--optimize"), ("convert", "--sparse"),
    ("join", "--attributes"), ("export", "--kind"),
    ("epoch", "--io"), ("epoch", "--numa"), ("epoch", "--rank"), ("epoch", "--device")])
def test_completion__of_a_value__is_words_that_the_command_takes(complete, command, option, tmp_path):
    words = complete(command, option, "")
    assert len(words) >= 2
    for word in words:  # a usage error would be 2
        rest = ["-o", tmp_path / "out"] if command in ("convert", "join", "export") else []
        done = subprocess.run([PROGRAM, command, "/missing", *rest, option, word], capture_output=True, timeout=60)
        assert done.returncode == 1, done.stderr
