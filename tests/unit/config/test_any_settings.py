"""Whatever somebody writes into flags, environment and file: there are settings, or there is one line for each mistake."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from config.settings import Settings
from config.sources import SECRETS, Loaded, SettingsError, load, variable

SECRET = "qUoTeD7"

names = st.sampled_from(sorted(Settings.model_fields)) | st.text(st.characters(codec="ascii"), min_size=1, max_size=12)
words = st.sampled_from(
    ["", "0", "1", "-1", "1.0", "1e3", "9" * 30, "true", "no", "null", "earliest", "stop", "zstd", "exactly_once"]
)
texts = (
    words
    | st.sampled_from(["PLAIN", "SASL_SSL", "SSL", "/nowhere", "a:1,b", "é", "\udcff", "\n"])
    | st.text(max_size=9)
)
overrides = st.dictionaries(names, texts, max_size=5)
environments = st.dictionaries(names.map(variable) | names.map(str.lower).map(variable), texts, max_size=4).filter(
    lambda variables: not any("\0" in word or "=" in word for pair in variables.items() for word in pair)
)
tables = st.dictionaries(names, words.map(repr) | st.integers().map(str) | st.sampled_from(["[1]", "{}", "1979-05-27"]))
lines = tables.map(lambda table: "\n".join(f"{name} = {value}" for name, value in table.items()).encode())
files = st.none() | lines | st.binary(max_size=40)


@contextmanager
def written(content: bytes | None, variables: Mapping[str, str]) -> Iterator[Path | None]:
    """A file with this content, where there is any, and no other variables of ours than these."""
    kept = dict(os.environ)
    with TemporaryDirectory() as folder:
        for name in [name for name in kept if name.upper().startswith("BATCHSUM_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if _can_be_set(name, value)})
        try:
            path = None if content is None else Path(folder) / "batchsum.toml"
            if path is not None and content is not None:
                path.write_bytes(content)
            yield path
        finally:
            os.environ.clear()
            os.environ.update(kept)


def _can_be_set(name: str, value: str) -> bool:
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
    return name.upper() != variable("config")


def loaded(content: bytes | None, variables: Mapping[str, str], flags: Mapping[str, str]) -> Loaded | list[str]:
    with written(content, variables) as file:
        try:
            return load(file, flags)
        except SettingsError as error:
            return error.problems


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(files, environments, overrides)
@example(None, {}, {"a\nname": "1"}).via("a name that nobody knows was told with its line end, as two lines")
def test_there_are_settings_or_a_line_for_each_mistake(
    content: bytes | None, variables: Mapping[str, str], flags: Mapping[str, str]
) -> None:
    found = loaded(content, variables, flags)
    if isinstance(found, Loaded):
        assert found.origins.keys() == Settings.model_fields.keys()
    else:
        assert found
        assert all("\n" not in problem and len(problem) < 1_000 for problem in found), found


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SECRETS)), overrides, st.booleans())
def test_no_mistake_that_is_told_tells_a_secret(secret: str, flags: Mapping[str, str], by_flag: bool) -> None:
    own = {secret: SECRET}
    found = loaded(None, {} if by_flag else {variable(secret): SECRET}, {**flags, **own} if by_flag else flags)
    assume(not isinstance(found, Loaded))
    assert SECRET not in repr(found)
