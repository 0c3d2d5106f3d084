"""Answers are printed as one line of JSON, with every character as it is."""

import json

import pytest

from cri.command.options import print_json
from image.model.json_document import JsonObject


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(JsonObject(subject="x", fields={"a": "é\n"}))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"a": "é\n"}
    assert "é" in out
