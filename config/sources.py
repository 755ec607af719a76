"""Where settings come from: flags, environment, file, defaults, in that order of precedence."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from config.conflicts import ConflictsError
from config.settings import Settings

PREFIX = "BATCHSUM_"
FILE_VARIABLE = f"{PREFIX}CONFIG"
DEFAULT = "default"

SECRETS = frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))


class SettingsError(ValueError):
    """Settings that cannot be used, with one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the lines, for whoever reports them."""
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and for every one of them where its value came from."""

    settings: Settings
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Layer:
    """The values of one source. Names are those of settings, or whatever somebody wrote there by mistake."""

    origin: str
    values: Mapping[str, object]

    def origin_of(self, name: str) -> str:
        return f"{self.origin} {variable(name)}" if self.origin == "environment" else self.origin


class _Sources(Settings, BaseSettings):
    """What tells the readers of pydantic-settings where to look; never instantiated."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True)


def variable(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return PREFIX + name.upper()


def load(config_file: Path | None = None, overrides: Mapping[str, object] | None = None) -> Loaded:
    """Gather and validate the settings of this process.

    The file is `config_file`, or the one `BATCHSUM_CONFIG` names. An empty environment variable counts as unset.

    Raises:
        SettingsError: with all the mistakes found, an unknown name among them.
    """
    layers = [_Layer("flag", overrides or {}), _environment(), _file(config_file)]
    problems = [line for layer in layers for line in _unknown(layer)]
    values: dict[str, object] = {}
    origins = dict.fromkeys(Settings.model_fields, DEFAULT)
    for layer in reversed(layers):
        for name in layer.values.keys() & Settings.model_fields.keys():
            values[name], origins[name] = layer.values[name], layer.origin_of(name)
    settings, mistakes = _validate(values, origins)
    if problems or mistakes or settings is None:
        raise SettingsError(problems + mistakes)
    return Loaded(settings, origins)


def _environment() -> _Layer:
    known = {variable(name) for name in Settings.model_fields} | {FILE_VARIABLE}
    strangers = {name: None for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known}
    return _Layer("environment", EnvSettingsSource(_Sources)() | strangers)


def _file(path: Path | None) -> _Layer:
    if path is None and (named := os.environ.get(FILE_VARIABLE)):
        path = Path(named)
    if path is None:
        return _Layer("", {})
    try:
        path.open("rb").close()  # pydantic-settings reads a missing file as an empty one
        return _Layer(str(path), TomlConfigSettingsSource(_Sources, path)())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError([f"{path}: cannot be read as a TOML file: {reason}"]) from error


def _unknown(layer: _Layer) -> Iterator[str]:
    in_environment = layer.origin == "environment"
    known = [variable(name) if in_environment else name for name in Settings.model_fields]
    for name in sorted(layer.values.keys() - Settings.model_fields.keys()):
        near = get_close_matches(name.upper() if in_environment else name, known, n=1)
        written = name if name.isprintable() else repr(name)  # a line is a line, whatever somebody calls a setting
        yield f"{written} ({layer.origin}): no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _validate(values: dict[str, object], origins: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """Return settings, or else all that is wrong: the faulty values, and the conflicts between the others."""
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        problems = list(_problems(error, values, origins))
        faulty = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    if faulty:
        sound = {name: value for name, value in values.items() if name not in faulty}
        try:
            Settings.model_validate(sound)
        except ValidationError as error:
            problems += _problems(error, values, origins, leave_out=faulty)
    return None, problems


def _problems(
    error: ValidationError,
    values: Mapping[str, object],
    origins: Mapping[str, str],
    *,
    leave_out: AbstractSet[str] = frozenset(),
) -> Iterator[str]:
    for fault in error.errors():
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, ConflictsError):
            for conflict in cause.conflicts:
                if leave_out.isdisjoint(conflict.names):
                    yield f"{conflict.names[0]} ({_origins(conflict.names, origins)}): {conflict.message}"
        else:
            name = str(fault["loc"][0])
            message = fault["msg"].removeprefix("Input ")
            # Somebody may have written a password into a URL, where it is refused.
            given = "" if name in SECRETS or name.endswith(("_url", "_endpoint")) else f", not {shown(values[name])!r}"
            yield f"{name} ({origins[name]}): {message}{given}"


def _origins(names: tuple[str, ...], origins: Mapping[str, str]) -> str:
    first, *others = names
    return origins[first] + "".join(f"; {name}: {origins[name]}" for name in others if origins[name] != DEFAULT)


def shown(value: object) -> object:
    """Return `value` as it may be shown to anybody: secrets are masked, paths are plain text."""
    if isinstance(value, SecretStr):
        return "********"
    return str(value) if isinstance(value, Path) else value
