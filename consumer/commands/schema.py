"""`batchsum schema`: the contract as documents."""

import json
import sys

from config.settings import Settings
from consumer.contract import Document, document


def schema(settings: Settings, name: Document) -> None:
    """Print the document called *name*, as JSON."""
    made = document(
        name,
        request_topic=settings.request_topic,
        result_topic=settings.result_topic,
        dead_letter_topic=settings.dead_letter_topic,
    )
    sys.stdout.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
