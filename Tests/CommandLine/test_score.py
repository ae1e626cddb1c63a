"""Lines in, the same lines with their scores out."""

from __future__ import annotations

import json
import math
import subprocess

import pytest
from conftest import COMMAND, ROOT, run

TEXTS = ROOT / "Examples/texts.jsonl"


def score(model, *arguments, code=0, **keywords):
    result = run("score", "-m", model, *arguments, **keywords)
    assert result.code == code, result
    return result


def objects(result) -> list[dict]:
    return [json.loads(line) for line in result.lines]


def lines(*values: dict) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_every_line_comes_back_in_order_with_its_score(rater):
    given = [json.loads(line) for line in TEXTS.read_text().splitlines()]
    scored = objects(score(rater, TEXTS))
    assert len(scored) == len(given)
    for before, after in zip(given, scored, strict=True):
        assert list(after) == [*before, "score", "token_count", "windows"]
        assert {key: after[key] for key in before} == before
        assert math.isfinite(after["score"])
        assert after["token_count"] > 0
        assert after["windows"] == 1


def test_scores_repeat_and_do_not_depend_on_company(rater):
    together = objects(score(rater, TEXTS))
    assert together == objects(score(rater, stdin=TEXTS.read_text()))
    assert together == objects(score(rater, "-t", 1, stdin=TEXTS.read_text()))
    for line, expected in zip(TEXTS.read_text().splitlines(), together, strict=True):
        assert objects(score(rater, stdin=line)) == [expected]


def test_other_members_are_kept_as_they_were_written(rater):
    line = '{"b":1.50,"text":"caf\\u00e9 \\ud83d\\ude00","a":[1, {"x":null}],"big":12345678901234567890,"e":1e400}'
    (scored,) = score(rater, stdin=line).lines
    for part in (
        '"b": 1.50',
        '"text": "caf\\u00e9 \\ud83d\\ude00"',
        '"a": [1, {"x":null}]',
        "12345678901234567890",
        "1e400",
    ):
        assert part in scored
    (plain,) = objects(score(rater, stdin=lines({"text": "café 😀"})))
    assert json.loads(scored)["score"] == plain["score"]


def test_a_score_that_is_there_is_replaced_and_another_field_keeps_it(rater):
    line = lines({"text": "a boat", "score": 7})
    assert objects(score(rater, stdin=line))[0]["score"] != 7
    (kept,) = objects(score(rater, "--field", "other", stdin=line))
    assert kept["score"] == 7
    assert "other" in kept


def test_tokens_are_taken_as_they_are(rater):
    (scored,) = objects(score(rater, stdin=lines({"tokens": [1, 2, 3], "text": 5})))
    assert scored["tokens"] == [1, 2, 3]
    assert scored["token_count"] == 3


def test_plain_lines(rater, tmp_path):
    text = "a boat\r\n\nthe last line has no end"
    (tmp_path / "lines.txt").write_text(text)
    named = objects(score(rater, tmp_path / "lines.txt"))
    assert named == objects(score(rater, "--text", stdin=text))
    assert [line["text"] for line in named] == ["a boat", "the last line has no end"]
    assert [line["score"] for line in named] == [
        line["score"] for line in objects(score(rater, stdin=lines(*({"text": line["text"]} for line in named))))
    ]


def test_several_files_follow_each_other(rater, tmp_path):
    (tmp_path / "a.jsonl").write_text(lines({"text": "one"}))
    (tmp_path / "b.txt").write_text("two\n")
    result = score(rater, tmp_path / "a.jsonl", tmp_path / "b.txt", "-", stdin=lines({"text": "three"}))
    assert [line["text"] for line in objects(result)] == ["one", "two", "three"]


def test_long_documents_are_scored_in_windows(rater):
    context = json.loads(run("inspect", rater, "--json").out)["max_position_embeddings"]
    tokens = [7 + index % 50 for index in range(2 * context + 10)]
    parts = [tokens[:context], tokens[context : 2 * context], tokens[2 * context :]]
    (whole,) = objects(score(rater, stdin=lines({"tokens": tokens})))
    scores = [line["score"] for line in objects(score(rater, stdin=lines(*({"tokens": part} for part in parts))))]
    mean = sum(value * len(part) for value, part in zip(scores, parts, strict=True)) / len(tokens)
    assert whole["windows"] == 3
    assert whole["token_count"] == len(tokens)
    assert whole["score"] == pytest.approx(mean, rel=1e-6)


def test_windows_as_the_caller_wishes(rater):
    tokens = [7 + index % 50 for index in range(100)]

    def scored(*arguments):
        (line,) = objects(score(rater, *arguments, stdin=lines({"tokens": tokens})))
        return line["score"], line["windows"]

    def alone(*starts):
        cuts = [{"tokens": tokens[start : start + 40]} for start in starts]
        return [line["score"] for line in objects(score(rater, stdin=lines(*cuts)))]

    first, second, third = alone(0, 40, 80)
    assert scored("--window", 40) == (pytest.approx((40 * first + 40 * second + 20 * third) / 100, rel=1e-6), 3)
    assert scored("--window", 40, "--stride", 30) == (pytest.approx(sum(alone(0, 30, 60)) / 3, rel=1e-6), 3)
    assert scored("--window", 40, "--max-windows", 1) == (second, 1)
    assert "--window" in score(rater, "--window", 0, stdin="", code=2).err


def test_many_documents_keep_their_order(rater):
    given = [{"id": index, "text": f"number {index}"} for index in range(5000)]
    scored = objects(score(rater, stdin=lines(*given)))
    assert [line["id"] for line in scored] == list(range(5000))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "expected"),
        ("[1]", "expected an object"),
        ('{"text": 5}', "expected a string"),
        ('{"other": "a"}', '"text" or "tokens"'),
        ('{"text": ""}', "at least one token"),
        ('{"tokens": []}', "at least one token"),
        ('{"tokens": [1, 2.5]}', "whole number"),
        ('{"tokens": [-1]}', "ids in"),
        ('{"tokens": [1000000000000000000000]}', "whole number"),
        ('{"text": "a"} {"text": "b"}', "the end of the line"),
        ('{"text": "a", }', "expected a string"),
        ('{"text": "\\x"}', "escape"),
        ('{"text": "a", "x": 01}', "leading zero"),
        ('{"text": "a", "x": ' + "[" * 5000 + "]" * 5000 + "}", "nesting"),
        (b'{"text": "\xff"}', "UTF-8"),
    ],
)
def test_a_bad_line_is_named(rater, tmp_path, line, reason):
    path = tmp_path / "lines.jsonl"
    bad = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(b'{"text": "good"}\n' + bad + b'\n{"text": "also good"}\n')
    stopped = score(rater, path, code=5)
    assert len(stopped.lines) == 1, "what came before is written"
    assert stopped.err.startswith(f"rally: {path}:2: ")
    assert reason in stopped.err
    going = score(rater, path, "--keep-going", code=1)
    assert [json.loads(text)["text"] for text in going.lines] == ["good", "also good"]
    assert f"{path}:2: " in going.err
    assert "1 line left out" in going.err


def test_sorted_from_best_to_worst(rater):
    scores = sorted((line["score"] for line in objects(score(rater, TEXTS))), reverse=True)
    table = score(rater, TEXTS, "--sort").lines
    assert table[0].split() == ["rank", "score", "tokens", "document"]
    assert [float(line.split()[1]) for line in table[1:]] == pytest.approx(scores, abs=6e-5)
    assert [line["score"] for line in objects(score(rater, TEXTS, "--sort", "--json"))] == scores


def test_squash(rater):
    squash = json.loads(run("inspect", rater, "--json", "--metadata").out)["metadata"]["rally.squash"]
    raw = [line["score"] for line in objects(score(rater, TEXTS))]
    squashed = [line["score"] for line in objects(score(rater, TEXTS, "--squash"))]
    if squash == "none":
        assert squashed == raw
    else:
        assert all(0 <= value <= 1 for value in squashed)


def test_several_raters_score_the_same_tokens(rater, tmp_path):
    other = tmp_path / "other.onnx"
    result = run("quantize", rater, other, "--dtype", "bf16")
    assert result.code == 0, result
    alone = [objects(score(path, TEXTS)) for path in (rater, other)]
    for line, first, second in zip(objects(score(rater, "--also", other, TEXTS)), *alone, strict=True):
        assert line == {**first, "score_other": second["score"]}


def test_raters_that_read_other_tokens_are_refused(rater, lm):
    assert "only raters" in score(rater, "--also", lm, stdin=lines({"text": "x"}), code=4).err


def test_packed_files_are_read_as_what_was_packed(rater, tmp_path):
    import gzip

    line = lines({"text": "The sea was calm."})
    expected = score(rater, stdin=line * 3).out
    packed = gzip.compress(line.encode())
    long = subprocess.run(
        ["zstd", "-q", "--long=31", "-c"], input=line.encode(), capture_output=True, check=True
    ).stdout
    plain = subprocess.run(["zstd", "-q", "-c"], input=(line * 2).encode(), capture_output=True, check=True).stdout
    for name, content in (("a.jsonl.gz", packed * 3 + bytes(512)), ("b.jsonl.zst", long + plain), ("c", packed * 3)):
        (tmp_path / name).write_bytes(content)
        assert score(rater, tmp_path / name).out == expected
        assert run("score", "-m", rater, stdin=content).out == expected
    many = lines(*({"text": f"The sea was calm {n}."} for n in range(2000)))
    (tmp_path / "many.jsonl.gz").write_bytes(gzip.compress(many.encode(), 1))
    assert score(rater, tmp_path / "many.jsonl.gz").out == score(rater, stdin=many).out
    cut = gzip.compress(many.encode())[:-50]
    (tmp_path / "cut.jsonl.gz").write_bytes(cut)
    assert "ends before its packed bytes do" in score(rater, tmp_path / "cut.jsonl.gz", code=3).err
    damaged = bytearray(cut)
    damaged[400:420] = b"\xff" * 20
    (tmp_path / "bad.jsonl.gz").write_bytes(damaged)
    assert "damaged" in score(rater, tmp_path / "bad.jsonl.gz", code=3).err
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size"  # what pzstd begins with
    assert run("score", "-m", rater, stdin=skipped + plain + long).out == expected
    unread = {"a.parquet": b"PAR1....", "a.bz2": b"BZh91AY&SY", "a.xz": b"\xfd7zXZ\0...", "a.lzma": b"]\0\0\x80\0"}
    for name, content in unread.items():
        (tmp_path / name).write_bytes(content)
        assert "python -m rally.score" in score(rater, tmp_path / name, code=3, RALLY_PYTHON="/no/such/python").err


def test_members_have_other_names(rater):
    expected = objects(score(rater, stdin=lines({"text": "a boat"})))[0]["score"]
    assert objects(score(rater, "--text", "content", stdin=lines({"content": "a boat"})))[0]["score"] == expected
    ids = objects(score(rater, "--tokens", "ids", stdin=lines({"ids": [1, 2, 3]})))
    assert ids[0]["token_count"] == 3
    told = score(rater, stdin=lines({"id": 1, "body": "a boat"}), code=5).err
    assert 'expected a member "text" or "tokens", found id, body; --text names the one to score' in told
    assert objects(score(rater, stdin=lines({"text": "a boat", "tokens": None})))[0]["score"] == expected
    assert (
        objects(score(rater, stdin='{"text": "a boat", "p": NaN, "q": -Infinity, "r": Infinity}\n'))[0]["score"]
        == expected
    )
    assert objects(score(rater, "--plain", stdin="a boat\n"))[0]["score"] == expected


def test_what_is_no_text_is_left_out(rater, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"The sea \xff was calm.\nA dog\n")
    result = score(rater, "--keep-going", path, code=1)
    assert [line["text"] for line in objects(result)] == ["A dog"]
    assert "a.txt:1: expected UTF-8" in result.err
    half = score(rater, "--keep-going", stdin='{"text": "half \\ud800"}\n{"text": "a boat"}\n', code=1)
    assert len(half.lines) == 1
    assert "half of one" in half.err


@pytest.mark.parametrize("arguments", [[], ["--line-buffered"]])
def test_a_line_is_answered_before_the_next_comes(rater, arguments):
    command = [COMMAND, "score", "-m", rater, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        for number in range(3):
            process.stdin.write(lines({"id": number, "text": "a boat"}).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()


def test_marks_where_files_were_put_together(rater):
    line = '\ufeff{"text": "the sea"}\n'
    first, second = objects(score(rater, stdin=line * 2))
    assert first == second
