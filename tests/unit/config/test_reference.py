"""The README's tables of settings."""

from pathlib import Path

from config.reference import BEGIN, END, render, replace_in
from config.settings import Settings
from config.sources import variable

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_says_what_the_code_says() -> None:
    """If this fails: python -m config.reference README.md."""
    text = README.read_text("utf-8")
    assert replace_in(text) == text
    assert text.count(BEGIN) == text.count(END) == 1


def test_every_setting_has_one_row() -> None:
    lines = render().splitlines()
    for name, field in Settings.model_fields.items():
        (row,) = (line for line in lines if line.startswith(f"| `{name}` "))
        assert f" `{variable(name)}` " in row
        assert str(field.description) in row


def test_rows_tell_defaults_bounds_and_choices() -> None:
    text = render()
    assert "| `unset` |" not in text
    assert "| `BATCHSUM_WORKERS` | unset | 1 to 1024 |" in text
    assert "| `BATCHSUM_REPLY_TO_FAILED` | `true` | `true`, `false` |" in text
    assert "| `BATCHSUM_CHUNK_TIMEOUT_MS` | `30000` | 100 to 3600000 ms |" in text
    assert "| `BATCHSUM_LOST_OFFSETS` | `earliest` | `earliest`, `stop` |" in text
    assert "| `BATCHSUM_SASL_PASSWORD` | unset | a secret, never shown |" in text


def test_what_stands_around_the_tables_stays() -> None:
    replaced = replace_in(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert replaced.startswith(f"before\n{BEGIN}\n")
    assert replaced.endswith(f"\n{END}\nafter\n")
    assert "stale" not in replaced
