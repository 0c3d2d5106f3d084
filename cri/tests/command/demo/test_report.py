"""What the demo prints: times, indented details, a verdict; the JSON form has the schema's name."""

import pytest

from cri.command.demo.report import JsonReport, Outcome, Step, TextReport, summary


def test_text_report_shows_time_and_indents_details(capsys: pytest.CaptureFixture[str]) -> None:
    TextReport().step(Step(name="exec", seconds=0.0125, detail="first\nsecond"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["12", "ms", "exec", "first"]
    assert lines[1].strip() == "second"


def test_verdict_names_failure_and_leftovers(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(error="no crun", leftovers=("mount /x",))
    TextReport().end(outcome)
    assert capsys.readouterr().out == "failed: no crun\nleft behind: mount /x\n"
    assert not outcome.ok


def test_good_end_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(steps=[Step(name="exec", seconds=0.009), Step(name="log", seconds=0.1)])
    TextReport().end(outcome)
    assert "all ok in 0.1 s: exec 9 ms; nothing is left" in capsys.readouterr().out
    assert summary(outcome) == "exec 9 ms"


def test_json_report_stays_silent_and_the_document_has_its_schema(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = JsonReport()
    outcome = Outcome(steps=[Step(name="a", seconds=1)])
    report.step(outcome.steps[0])
    report.end(outcome)
    assert capsys.readouterr().out == ""
    assert outcome.as_document()["schema"] == "lading.demo/v1"
    assert outcome.as_document()["ok"] is True
