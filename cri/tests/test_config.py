"""Settings: every key has a default and a reason, and addresses follow the state directory."""

from dataclasses import fields, is_dataclass

from cri.config import (
    CHOICES,
    NOT_NEGATIVE,
    POSITIVE,
    CriSettings,
    HandlerSettings,
    Settings,
    flatten,
)


def test_every_setting_has_a_reason_for_its_default() -> None:
    settings = Settings()
    sections = [getattr(settings, each.name) for each in fields(settings)]
    models = [settings, HandlerSettings(), *(each for each in sections if is_dataclass(each))]
    for model in models:
        for each in fields(model):
            if not is_dataclass(getattr(model, each.name)):
                assert each.metadata["reason"], each.name


def test_addresses_follow_the_state_directory_until_they_are_set() -> None:
    settings = Settings(state="/run/other")
    assert settings.cri_address == "unix:///run/other/lading.sock"
    assert settings.admin_address == "unix:///run/other/admin.sock"
    own = Settings(cri=CriSettings(address="unix:///own.sock"))
    assert own.cri_address == "unix:///own.sock"


def test_flatten_names_every_setting_once_with_its_section() -> None:
    flat = flatten(Settings())
    assert flat["root"] == "/var/lib/lading"
    assert flat["image.max_concurrent_downloads"] == 3
    assert flat["runtime.handlers.crun.path"] == ""


def test_rules_name_only_settings_that_exist() -> None:
    flat = flatten(Settings())
    assert set(CHOICES) <= set(flat)
    assert set(POSITIVE) <= set(flat)
    assert set(NOT_NEGATIVE) <= set(flat)
    for key, words in CHOICES.items():
        assert flat[key] in words
