"""Settings that are wrong are named before any call; the key goes where it must and nowhere else."""

from __future__ import annotations

import pytest
from singer_sdk.exceptions import ConfigValidationError
from tap_copernico.client import CopernicoClient, quoted
from tap_copernico.tap import TapCopernico

BASE = {"timing_partner_id": 1, "api_key": "k-1234", "login": "a@example.org"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"api_key": None}, "api_key"),
        ({"api_key": None, "race_ids": "a", "source": "athletes"}, "api_key"),
        ({"login": None}, "login"),
        ({"source": "guesses"}, "source"),
        ({"participant_key": "name"}, "participant_key"),
        ({"presets": " , "}, "presets"),
        ({"page_size": 501}, "page_size"),
        ({"race_map": "{"}, "race_map"),
        ({"race_map": "[]"}, "race_map"),
        ({"race_map": '{"a": {"time_zone": "Mars/Olympus"}}'}, "time_zone"),
        ({"event_details_minutes": -1}, "event_details_minutes"),
    ],
)
def test_a_wrong_setting_is_named(settings, named):
    with pytest.raises(ConfigValidationError) as told:
        TapCopernico(config={key: value for key, value in (BASE | settings).items() if value is not None})

    assert any(named in line for line in told.value.errors)


def test_presets_need_a_login_and_files_do_not():
    assert TapCopernico(config=BASE | {"source": "ranking_files", "login": None}).config["source"] == "ranking_files"
    assert TapCopernico(config={"timing_partner_id": 1, "login": "a@example.org", "race_ids": "a, b"}).race_ids == [
        "a",
        "b",
    ]


def test_the_key_goes_to_no_open_address(season, make_tap, monkeypatch):
    sent = []
    signed = CopernicoClient.sign

    def signing(self, params, headers):
        sent.append(dict(headers))
        signed(self, params, headers)

    monkeypatch.setattr(CopernicoClient, "sign", signing)
    tap = make_tap()
    race = season.live()

    tap.client.preset(race, "full", "", "participants")
    tap.client.leaders(race, "10K", "gender:male", "", "results")
    assert sent == []
    tap.client.races("races")
    assert len(sent) == 1
    tap.close()


def test_names_stand_in_addresses_as_they_are_written(season, run):
    race = season.live()
    season.change("rename_event", f"{race}:10K", fields={"name": "10 Kilómetros, Popular?"})

    first = run(source="leaders", race_ids=race)

    assert first.error is None
    assert any("leaders/10 Kilómetros, Popular?/gender:male" in call for call in season.calls())
    assert quoted("10K / Popular") == "10K%20%2F%20Popular"
