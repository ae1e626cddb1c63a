"""Texts, depths, stop texts and Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import COMMAND, run

PROMPT = "The little boat"


def generate(model, *arguments, **keywords):
    result = run("generate", "-m", model, *arguments, **keywords)
    assert result.code == 0, result
    return result


def generate_json(model, *arguments, **keywords) -> list[dict]:
    return [json.loads(line) for line in generate(model, "--json", *arguments, **keywords).lines]


def test_the_text_follows_the_prompt(lm):
    (answer,) = generate_json(lm, "-p", PROMPT, "-n", 12)
    text = generate(lm, "-p", PROMPT, "-n", 12).out
    assert text.removesuffix("\n") == (PROMPT + answer["text"]).removesuffix("\n")
    alone = generate(lm, "-p", PROMPT, "-n", 12, "--no-display-prompt").out
    assert alone.removesuffix("\n") == answer["text"].removesuffix("\n")


def test_json_is_complete(lm):
    (answer,) = generate_json(lm, "-p", PROMPT, "-n", 12, "--ignore-eos")
    assert answer["prompt"] == PROMPT
    assert answer["finish_reason"] == "limit"
    assert len(answer["tokens"]) == len(answer["depths"]) == len(answer["logprobs"]) == 12
    assert len(answer["prompt_tokens"]) == len(answer["prompt_depths"])
    assert all(value <= 0 for value in answer["logprobs"])
    # The first token is predicted from the prompt's last.
    assert answer["depths"][0] == answer["prompt_depths"][-1]


def test_the_same_seed_gives_the_same_text(lm):
    first, second, other = (
        generate_json(lm, "-p", PROMPT, "-n", 40, "--temp", 1.5, "-s", seed)[0]["tokens"] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_prompts_run_together_and_come_in_order(lm, tmp_path):
    prompts = [PROMPT, "Once", "A much longer prompt about a harbour, a rope and gulls"]
    alone = [generate_json(lm, "-p", prompt, "-n", 10)[0] for prompt in prompts]
    (tmp_path / "last.txt").write_text(prompts[2] + "\n")
    together = generate_json(lm, "-p", prompts[0], "-p", prompts[1], "-f", tmp_path / "last.txt", "-n", 10)
    assert together == alone
    text = generate(lm, "-p", prompts[0], "-p", prompts[1], "-n", 10).out
    assert text.index("--- 1 of 2 ---") < text.index(prompts[0]) < text.index("--- 2 of 2 ---") < text.index(prompts[1])


def test_the_prompt_may_come_from_standard_input(lm):
    assert generate_json(lm, "-n", 8, stdin=PROMPT + "\n") == generate_json(lm, "-p", PROMPT, "-n", 8)


def test_a_prompt_may_begin_with_a_dash(lm):
    assert generate_json(lm, "-p", "-n is", "-n", 2)[0]["prompt"] == "-n is"


def test_depths_are_shown_beside_the_tokens(lm):
    (answer,) = generate_json(lm, "-p", PROMPT, "-n", 24, "--ignore-eos")
    result = generate(lm, "-p", PROMPT, "-n", 24, "--ignore-eos", "--show-depth")
    shown = [int(depth) for mark in re.findall(r"⟨([\d,]+)⟩", result.out) for depth in mark.split(",")]
    expected = answer["prompt_depths"] + answer["depths"]
    assert shown[: len(expected)] == expected
    counts = [int(line.split()[1]) for line in result.err.splitlines() if re.match(r" +\d+ +\d+ +[\d.]+ %", line)]
    # Every computed token once: the last one generated is never computed.
    assert sum(counts) == len(expected) - 1


def test_a_depth_limit_holds(lm):
    (answer,) = generate_json(lm, "-p", PROMPT, "-n", 24, "--max-depth", 1, "--ignore-eos")
    assert max(answer["depths"] + answer["prompt_depths"]) <= 1


def test_a_stop_text_ends_the_text(lm):
    (free,) = generate_json(lm, "-p", PROMPT, "-n", 60, "--temp", 1, "-s", 3, "--ignore-eos")
    text = free["text"]
    stop = text[len(text) // 2 : len(text) // 2 + 3]
    (stopped,) = generate_json(lm, "-p", PROMPT, "-n", 60, "--temp", 1, "-s", 3, "--ignore-eos", "--stop", stop)
    assert stopped["finish_reason"] == "stop"
    assert stopped["text"] == text[: text.index(stop)]
    assert free["tokens"][: len(stopped["tokens"])] == stopped["tokens"]


def test_a_text_that_only_begins_like_a_stop_text_is_complete(lm):
    (free,) = generate_json(lm, "-p", PROMPT, "-n", 20)
    (other,) = generate_json(lm, "-p", PROMPT, "-n", 20, "--stop", free["text"][-2:] + "never")
    assert other["text"] == free["text"]


def test_minus_one_fills_the_context(lm):
    context = json.loads(run("inspect", lm, "--json").out)["max_position_embeddings"]
    (answer,) = generate_json(lm, "-p", PROMPT, "-n", -1, "--ignore-eos")
    assert answer["finish_reason"] == "context_full"
    assert len(answer["prompt_tokens"]) + len(answer["tokens"]) == context + 1


def test_no_piece_splits_a_character(lm):
    """At a high temperature single bytes of characters are drawn; every write is whole characters."""
    ours, theirs = os.pipe2(os.O_DIRECT)  # keeps writes apart, however late they are read
    process = subprocess.Popen(
        [COMMAND, "generate", "-m", lm, "-p", "é", "-n", "200", "--temp", "20", "--ignore-eos"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    pieces = []
    while piece := os.read(ours, 4096):
        pieces.append(piece.decode())  # strict
    os.close(ours)
    assert process.wait() == 0
    assert len(pieces) > 10, "the text is streamed"


def default_interrupt():
    """For the child: a suite that runs in the background has the signal ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_there_is(lm):
    arguments = ["-n", "-1", "--ignore-eos", "--temp", "1"] + ["-p", PROMPT] * 100
    process = subprocess.Popen(
        [COMMAND, "generate", "-m", lm, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_interrupt,
    )
    first = os.read(process.stdout.fileno(), 4096)
    while first.decode().count(PROMPT) == 0 or len(first) < 60:
        first += os.read(process.stdout.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate()
    assert process.returncode == 130, errors
    assert (first + rest).decode().startswith("--- 1 of 100 ---\n" + PROMPT)
    assert b"rally:" not in errors
    assert b"tok/s" in errors


def waiting_bytes(pipe) -> int:
    """What was written into a pipe and has not been read."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_ctrl_c_while_waiting_for_input_ends(rater):
    process = subprocess.Popen(
        [COMMAND, "score", "-m", rater], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=default_interrupt
    )
    process.stdin.write(b'{"text": "a line"}\n')
    process.stdin.flush()
    while waiting_bytes(process.stdin):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


def on_a_terminal(arguments, **environment) -> str:
    """What the command writes to a terminal, standard output and standard error together."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(terminal)
    written = b""
    try:
        while piece := os.read(controller, 4096):
            written += piece
    except OSError:  # the other side is closed
        pass
    os.close(controller)
    process.wait()
    return written.decode()


def test_a_terminal_has_colours_and_no_color_takes_them_away(lm):
    arguments = ["generate", "-m", lm, "-p", PROMPT, "-n", 8, "--show-depth"]
    assert "\x1b[38;5;" in on_a_terminal(arguments, NO_COLOR="")
    plain = on_a_terminal(arguments, NO_COLOR="1")
    assert "\x1b[38;5;" not in plain
    assert "⟨" in plain


def test_no_prompt_on_a_terminal_is_an_error(lm):
    assert "no prompt; give -p TEXT" in on_a_terminal(["generate", "-m", lm])


@pytest.mark.parametrize(
    "content", [b"The sea", b"The sea\n", b"The sea\r\n", b"\xef\xbb\xbfThe sea\r\n", b"\xef\xbb\xbfThe sea"]
)
def test_what_editors_add_is_no_part_of_a_prompt(lm, tmp_path, content):
    (tmp_path / "prompt.txt").write_bytes(content)
    arguments = ("-n", 1)
    (answer,) = generate_json(lm, "-f", tmp_path / "prompt.txt", *arguments)
    (piped,) = generate_json(lm, "-f", "-", *arguments, stdin=content)
    (plain,) = generate_json(lm, "-p", "The sea", *arguments)
    assert answer["prompt_tokens"] == piped["prompt_tokens"] == plain["prompt_tokens"]


def test_a_mark_inside_a_text_stays(lm):
    (answer,) = generate_json(lm, "-f", "-", "-n", 1, stdin=b"\xef\xbb\xbf\xef\xbb\xbfsea\n\n")
    assert answer["prompt"] == "\ufeffsea\n"


def test_a_drawn_seed_is_named_and_gives_the_same_text_again(lm):
    drawing = ("-p", PROMPT, "-n", 24, "--temp", 1.5, "--no-display-prompt")
    first = generate(lm, *drawing, "-s", -1)
    seed = re.search(r"seed (\d+)", first.err)
    assert seed
    again = generate(lm, *drawing, "-s", seed[1])
    assert again.out == first.out
    assert "seed" not in again.err
    refused = run("generate", "-m", lm, "-p", PROMPT, "-s", "-2")
    assert refused.code == 2
    assert "-2" in refused.err
