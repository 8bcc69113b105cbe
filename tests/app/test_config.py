"""Settings: read from the environment, and refused by name and value."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings, load_settings
from app.errors import SettingsError
from app.images.limits import ImageLimits

GIVEN: dict[str, tuple[str, Any]] = {
    "host": ("localhost", "localhost"),
    "port": ("9000", 9000),
    "data_dir": ("/srv/data", Path("/srv/data")),
    "model_store": ("/srv/models", Path("/srv/models")),
    "model": ("shoes/3", "shoes/3"),
    "runtime": ("tensorflow", "tensorflow"),
    "precision": ("bfloat16", "bfloat16"),
    "sample_gallery": ("0", False),
    "gallery_dir": ("/srv/photos", Path("/srv/photos")),
    "import_dir": ("/srv/imports", Path("/srv/imports")),
    "url_import": ("1", True),
    "allowed_hosts": ("images.example", "images.example"),
    "cors_origins": ("https://shop.example", "https://shop.example"),
    "read_key": ("reader", "reader"),
    "write_key": ("writer", "writer"),
    "allow_anonymous": ("1", True),
    "max_image_bytes": ("1", 1),
    "max_image_pixels": ("2", 2),
    "max_jpeg_scans": ("3", 3),
    "max_decode_memory": ("1000000", 1_000_000),
    "max_images_per_request": ("4", 4),
    "max_request_bytes": ("5", 5),
    "max_concurrent_requests": ("6", 6),
    "request_timeout_s": ("0.5", 0.5),
    "max_queued_jobs": ("8", 8),
    "max_gallery_images": ("9", 9),
    "max_gallery_bytes": ("10", 10),
    "read_timeout_s": ("1.5", 1.5),
    "decode_threads": ("7", 7),
    "inference_threads": ("8", 8),
    "max_batch": ("9", 9),
    "queue_size": ("99", 99),
    "match_false_alarms": ("0.01", 0.01),
    "quarantine_days": ("7", 7),
    "log_format": ("json", "json"),
    "log_level": ("debug", "debug"),
    "otlp_endpoint": ("http://collector:4318", "http://collector:4318"),
}


def test_every_setting_is_tried_here() -> None:
    assert set(GIVEN) == set(Settings.model_fields)


@pytest.mark.parametrize("name", GIVEN)
def test_each_setting_comes_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, value = GIVEN[name]
    default = getattr(load_settings(), name)
    monkeypatch.setenv(f"GEMELLO_{name.upper()}", text)
    read = getattr(load_settings(), name)
    assert (read.get_secret_value() if name.endswith("_key") else read) == value
    assert read != default


@pytest.mark.parametrize("name", GIVEN)
def test_an_empty_variable_is_an_unset_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GEMELLO_{name.upper()}", "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("ALLOWED_HOSTS", "https://images.example"),
        ("ALLOWED_HOSTS", "images.example:8000"),
        ("RUNTIME", "onnx"),
        ("PRECISION", "int8"),
        ("MAX_BATCH", "0"),
        ("QUEUE_SIZE", "15"),
        ("REQUEST_TIMEOUT_S", "0"),
        ("REQUEST_TIMEOUT_S", "nan"),
        ("SAMPLE_GALLERY", "perhaps"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GEMELLO_{name}", value)
    with pytest.raises(SettingsError, match=f"^GEMELLO_{name}='{value}': .+") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variable", ["GEMELLO_MAXBATCH", "gemello_prot", "GEMELLO_"])
def test_an_unknown_variable_is_named_with_its_value(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "8")
    with pytest.raises(SettingsError, match=f"^{variable}='8' is not a setting"):
        load_settings()


def test_the_command_lines_own_variables_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMELLO_URL", "http://elsewhere")
    monkeypatch.setenv("GEMELLO_KEY", "key")
    assert load_settings() == Settings()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMELLO_PORT", "9000")
    monkeypatch.setenv("GEMELLO_MODEL", "shoes")
    chosen = load_settings(port=9001, model=None)
    assert (chosen.port, chosen.model) == (9001, "shoes")
    with pytest.raises(SettingsError, match="GEMELLO_PORT=-1"):
        load_settings(port=-1)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMELLO_READ_KEY", "hunter2")
    monkeypatch.setenv("GEMELLO_WRITE_KEY", "hunter3")
    settings = load_settings()
    assert "hunter" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    monkeypatch.setenv("GEMELLO_WRITEKEY", "hunter4")
    with pytest.raises(SettingsError, match="GEMELLO_WRITEKEY") as caught:
        load_settings()
    assert "hunter" not in str(caught.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="unknown"):
        Settings(unknown=1)  # type: ignore[call-arg]


def test_the_images_limits_are_the_settings() -> None:
    settings = Settings(max_image_bytes=1, max_image_pixels=2, max_jpeg_scans=3)
    assert settings.image_limits == ImageLimits(max_bytes=1, max_pixels=2, max_scans=3)
    assert Settings().image_limits == ImageLimits()


def test_every_setting_has_a_help_text() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


EVERYWHERE = "0.0.0.0"  # noqa: S104
BOTH = {"read_key": "r", "write_key": "w"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "localhost"},
        {"host": "127.8.8.8"},
        {"host": "::1"},
        {"host": EVERYWHERE, **BOTH},
        {"host": "192.168.1.5", **BOTH},
        {"host": EVERYWHERE, "allow_anonymous": True},
        {"write_key": "w"},
        BOTH,
    ],
)
def test_a_guarded_service_may_listen(given: dict) -> None:
    Settings(**given).check_exposure()


@pytest.mark.parametrize(
    "given",
    [
        {"host": EVERYWHERE},
        {"host": "::"},
        {"host": "192.168.1.5"},
        {"host": "gemello.example"},
        {"host": ""},
        {"host": EVERYWHERE, "write_key": "w"},
    ],
)
def test_an_open_service_beyond_this_machine_is_refused(given: dict) -> None:
    with pytest.raises(SettingsError, match=f"^GEMELLO_HOST={given['host']} .*GEMELLO_WRITE_KEY"):
        Settings(**given).check_exposure()


def test_a_read_key_alone_is_refused() -> None:
    with pytest.raises(SettingsError, match="are the same"):
        Settings(read_key=SecretStr("same"), write_key=SecretStr("same")).check_exposure()
    with pytest.raises(SettingsError, match="GEMELLO_READ_KEY is set without GEMELLO_WRITE_KEY"):
        Settings(read_key=SecretStr("r"), allow_anonymous=True).check_exposure()
