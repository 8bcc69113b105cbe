"""The command refuses what it cannot do before it trains for minutes."""

import pytest

from benchmarks.training.__main__ import options


def test_what_follows_two_dashes_is_for_gemello_train() -> None:
    given = options(["--seeds", "1", "--sets", "things", "--", "--epochs", "1"])
    assert given.options == ["--epochs", "1"]
    assert not given.peer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sets", "grocery,tings"], "tings is not one of the sets: emoji, grocery"),
        (
            ["--peer", "--peer-python", "no/python"],
            "no/python does not exist; run `make bench-setup`",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options(arguments)
    assert message in capsys.readouterr().err
