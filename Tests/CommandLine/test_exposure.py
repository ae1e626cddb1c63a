"""Exposure: rows as they come, the summary, and what cannot be compared."""

from __future__ import annotations

import json
import math

from conftest import run

ROWS = '{"text": "The sea was calm."}\n{"tokens": [5, 6, 7, 8, 9], "given": 3}\n{"text": "And the king said"}\n'


def test_rows_and_summary(lm, tmp_path):
    narrow = tmp_path / "int8.onnx"
    assert run("quantize", lm, narrow).code == 0
    result = run("exposure", narrow, lm, "--json", stdin=ROWS)
    assert (result.code, result.err) == (0, "")
    *rows, summary = map(json.loads, result.lines)
    assert [row["row"] for row in rows] == [0, 1, 2]
    assert rows[1]["tokens"] == 2
    assert all(row["jeffreys"] > 0 for row in rows)
    assert math.isclose(rows[2]["log_e"], sum(row["log_ratio"] for row in rows))
    assert summary["rows"] == 3
    assert summary["tokens"] == sum(row["tokens"] for row in rows)
    assert summary["log_e"] == rows[2]["log_e"]
    assert summary["largest_log_e"] == max(0, *(row["log_e"] for row in rows))
    assert summary["rejected"] is False

    (tmp_path / "rows.jsonl").write_text(ROWS)
    table = run("exposure", narrow, lm, tmp_path / "rows.jsonl")
    assert table.lines[0].split() == ["row", "tokens", "jeffreys", "per", "token", "log", "ratio", "log", "E"]
    assert len({len(line) for line in table.lines[:4]}) == 1, "the table is aligned"
    assert float(table.lines[1].split()[2]) == round(rows[0]["jeffreys"], 4)
    assert table.lines[-1].endswith("the base wrote these rows is not rejected at 0.05")


def test_a_model_beside_itself_is_no_evidence(lm):
    result = run("exposure", lm, lm, "--text", "--json", stdin="The sea\nThe sky\n")
    assert result.code == 0
    assert json.loads(result.lines[-1])["jeffreys"] == 0


def test_what_is_refused(lm, rater):
    assert run("exposure", lm, rater, stdin=ROWS).code == 4
    assert run("exposure", lm, lm, stdin="{}").code == 5
    assert run("exposure", lm, lm, stdin='{"tokens": [1, 2], "given": 7}').code == 2
    assert run("exposure", lm, lm, stdin='{"tokens": [1, 2], "given": "x"}').code == 5
    assert run("exposure", lm, lm, "--alpha", 1).code == 2
    assert run("exposure", lm).code == 2
