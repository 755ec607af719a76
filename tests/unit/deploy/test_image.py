"""The image and the composed service: what they set is a setting, and what they publish is this machine's own."""

import re
from pathlib import Path

import yaml

from config.settings import Settings

ROOT = Path(__file__).parents[3]


def test_the_image_sets_what_exists_and_its_port_can_be_probed_from_outside() -> None:
    image = {
        name.lower(): value for name, value in re.findall(r"\bBATCHSUM_(\w+)=(\S+)", (ROOT / "Dockerfile").read_text())
    }
    settings = Settings.model_validate(image)
    assert image.keys() <= Settings.model_fields.keys()
    assert (settings.http_enabled, settings.http_host) == (True, "0.0.0.0")
    assert f"EXPOSE {settings.http_port}\n" in (ROOT / "Dockerfile").read_text()


def test_every_port_of_the_composed_service_is_published_on_loopback_alone() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
