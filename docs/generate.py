"""Writes the documents that are made of code: `make documents`. A test holds them together."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import yaml

from config.settings import Settings
from consumer.contract import Document, document

DOCS = Path(__file__).parent


def rendered() -> Mapping[Path, str]:
    """Each file, and what is to stand in it."""
    settings = Settings()
    files = {}
    for name in get_args(Document):
        made = document(
            name,
            request_topic=settings.request_topic,
            result_topic=settings.result_topic,
            dead_letter_topic=settings.dead_letter_topic,
        )
        if name == "asyncapi":
            text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=120)
            files[DOCS / "asyncapi.yaml"] = f"# Written by `make documents`; changes here are lost.\n{text}"
        else:
            files[DOCS / "schemas" / f"{name}.json"] = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    return files


if __name__ == "__main__":
    for file, text in rendered().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
