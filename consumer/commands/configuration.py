"""`batchsum config`: what is set, and where that comes from."""

from config.settings import Settings
from config.sources import Loaded, shown
from consumer.commands import output


def show(loaded: Loaded, *, as_json: bool) -> None:
    """Print every setting with its value and where that came from; secrets are masked."""
    values = {name: shown(getattr(loaded.settings, name)) for name in Settings.model_fields}
    if as_json:
        output.as_json({name: {"value": value, "origin": loaded.origins[name]} for name, value in values.items()})
    else:
        rows = [
            (
                name,
                "" if value is None else str(value).lower() if isinstance(value, bool) else value,
                loaded.origins[name],
            )
            for name, value in values.items()
        ]
        output.table("settings", ("setting", "value", "origin"), rows)
