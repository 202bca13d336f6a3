"""Wrong settings: one sentence each, with line, key, what was found, what is allowed, and what is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.errors import SettingsError
from warehouse.settings import Settings, parse_settings
from warehouse.settings_problems import line_of

BASE = 'time_zone = "UTC"\n[tables.orders]\nfiles = ["orders.csv"]\n'
AUDIENCE = '[audiences.a]\nrule = "order_count_lifetime > 1"\n'

BELOW = {  # what follows the base, and the whole of what is said
    "[trainin]\nseed = 3": 'line 4: there is no setting "trainin". Did you mean "training"? Allowed here: activity,',
    "[training]\nretrain_evry = 3": 'line 5: there is no setting "training.retrain_evry". Did you mean "retrain_every',
    'duplicate = "drop"': 'line 4: there is no setting "tables.orders.duplicate". Did you mean "duplicates"? Allowed',
    "[targets.repurchase]\nhorizon = [30]": 'line 5: there is no setting "targets.repurchase.horizon". Did you mean',
    '[tables.order]\nfiles = ["a.csv"]': 'line 4: "order" cannot be the name of a section here; allowed: orders, even',
    '[targets."my target"]\nhorizons = [30]': 'line 4: "my target" cannot be the name of a section here; allowed: let',
    "[audiences.a]\ncontrol_share = 0.1": 'line 4: "audiences.a.rule" is missing; allowed: text in quotes.',
    f"{AUDIENCE}control_share = 80": 'ontrol_share" is 80; allowed: a number from 0 to below 1 (80 % is written 0.8).',
    f'{AUDIENCE}control_share = "10%"': '"10%"; allowed: a number from 0 to below 1 (10 % is written 0.1).',
    f'{AUDIENCE}channel = "smss"': 'line 6: "audiences.a.channel" is "smss"; allowed: sms, email, push. Did you mean',
    "max_bad_ratio = 10": ' "tables.orders.max_bad_ratio" is 10; allowed: a number from 0 to 1 (10 % is written 0.1).',
    "max_bad_ratio = -0.1": '"tables.orders.max_bad_ratio" is -0.1; allowed: a number from 0 to 1.',
    "max_bad_ratio = nan": "allowed: a number from 0 to 1.",
    "[targets.repurchase]\nhorizons = [0]": 'line 5: "targets.repurchase.horizons" holds 0; allowed: a whole number f',
    "[targets.repurchase]\nhorizons = [30, -5]": "holds -5; allowed: a whole number from 1 to 3,650.",
    "[targets.repurchase]\nhorizons = [99999]": "holds 99999; allowed: a whole number from 1 to 3,650.",
    '[targets.repurchase]\nhorizons = ["30"]': 'holds "30"; allowed: a whole number from 1 to 3,650.',
    "[targets.repurchase]\nhorizons = 30": "is 30; allowed: a list in [ ], each a whole number from 1 to 3,650, at le",
    "[targets.repurchase]\nhorizons = []": "is []; allowed: a list in [ ], each a whole number",
    "[targets.repurchase]\nhorizons = [30, 30]": "is [30, 30]; allowed: a list that says each once.",
    "[targets.churn]\nactivity_days = 0": 'line 5: "targets.churn.activity_days" is 0; allowed: a whole number from 1',
    '[targets.repurchase]\noutcome = "sales"': (
        'is "sales"; allowed: sale, no_sale, act, no_act, labels. Did you mean "sale"?'
    ),
    'time_zone = "Asia/Shangai"': 'line 4: "tables.orders.time_zone" is "Asia/Shangai"; allowed: an IANA name such as',
    'encoding = "utf-9"': 'is "utf-9"; allowed: a codec of Python such as utf-8,',
    'separator = ",,"': '"tables.orders.separator" is ",,"; allowed: text in quotes, one character.',
    'non_products = "(POST"': 'is "(POST"; allowed: a regular expression',
    'non_products = "(?!POST)"': "allowed: a regular expression (RE2 syntax)",
    'time_format = "%Q"': "strptime codes as in %d/%m/%Y %H:%M; %Q is none.",
    'returns = "order_prefix"\nreturn_prefix = ""': 'line 5: "tables.orders.return_prefix" is ""; allowed: text in qu',
    '[tables.orders.columns]\nuserid = "x"': 'line 5: "tables.orders.columns.userid" is "userid"; allowed: user_id,',
    "[training]\nseed = true": 'line 5: "training.seed" is true; allowed: a whole number from 0 to 2,147,483,647.',
    '[training]\nthreads = "2"': 'is "2"; allowed: a whole number from 1 to 256.',
    "[recommend]\nmodels = []": "is []; allowed: a list in [ ], each text in quotes",
    '[activity]\nacts = "sale"': 'line 5: "activity.acts" is "sale"; allowed: sales, events or a list in [ ]',
    "[serving]\nport = 99999": 'line 5: "serving.port" is 99999; allowed: a whole number from 1 to 65,535.',
    '[suppression]\nfile = "x.csv"\nmax_age_hours = 0': 'line 6: "suppression.max_age_hours" is 0; allowed: a whole n',
    "[training\nseed = 1": "not valid TOML",
    '[tables.orders]\nduplicates = "keep"': "line 4",
}  # fmt: skip
ABOVE = {  # what stands before the base
    'time_zon = "UTC"': 'line 1: there is no setting "time_zon". Did you mean "time_zone"? Allowed here: activity,',
    'language = "de"': 'line 1: "language" is "de"; allowed: en, zh.',
    'entity = "usr"': 'is "usr"; allowed: user, seller, device. Did you mean "user"?',
    'engine = "spark"': 'is "spark"; allowed: duckdb, sc://host:15002 or local-cluster[2,1,2048].',
    'currency = "pounds"': 'is "pounds"; allowed: text in quotes such as "EUR".',
    'memory_limit = "lots"': 'is "lots"; allowed: text in quotes such as "1GB".',
    'memory_limit = "0MB"': 'is "0MB"; allowed: at least 64MB.',
    'preset = "onlineretail"': 'is "onlineretail"; allowed: generic, online-retail, ga4, segment, shopify, taobao.'
    ' Did you mean "online-retail"?',
    "buckets = 0": 'line 1: "buckets" is 0; allowed: a whole number from 1 to 1,024.',
    "training.seed = -1": 'line 1: "training.seed" is -1; allowed: a whole number from 0 to',
}


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as told:
        parse_settings(text)
    assert told.value.exit_code == 2
    return told.value.message


@pytest.mark.parametrize(("lines", "said"), BELOW.items(), ids=list(BELOW))
def test_a_wrong_setting_below_is_told_once(lines: str, said: str) -> None:
    told = refused(f"{BASE}{lines}\n")
    assert said in told
    assert told.startswith("reprise.toml")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("line", "said"), ABOVE.items(), ids=list(ABOVE))
def test_a_wrong_setting_above_is_told_once(line: str, said: str) -> None:
    told = refused(f"{line}\n{BASE}")
    assert said in told
    assert len(told.splitlines()) == 1


def test_a_misspelt_zone_is_told_with_the_nearest_one() -> None:
    told = refused(BASE.replace("UTC", "Europe/Londn"))
    assert told.startswith('reprise.toml, line 1: "time_zone" is "Europe/Londn"; allowed: an IANA name')
    assert told.endswith('Did you mean "Europe/London"?')


def test_a_table_without_files_is_told() -> None:
    told = refused(BASE.replace('["orders.csv"]', "[]"))
    assert told == 'reprise.toml, line 3: "tables.orders.files" is []; allowed: a list in [ ] of at least one file.'


def test_all_wrong_settings_are_told_at_once() -> None:
    told = refused(f'language = "de"\n{BASE}[training]\nseed = -1\nrounds = 3\n')
    assert [line.split(":")[0] for line in told.splitlines()] == [
        "reprise.toml, line 1",
        "reprise.toml, line 6",
        "reprise.toml, line 7",
    ]


def test_what_is_right_is_taken() -> None:
    found = parse_settings(f"{BASE}max_bad_ratio = 0\n[targets.mine]\nhorizons = [7, 30]\nmin_amount = 5\n")
    assert found.targets["mine"].horizons == (7, 30)
    assert found.tables["orders"].max_bad_ratio == 0


KEY = st.sampled_from(["seed", "threads", "rounds"])


@given(before=st.integers(0, 5), key=KEY, style=st.sampled_from(["section", "dotted", "spaced", "quoted"]))
def test_the_line_of_a_key_is_found_however_it_is_written(before: int, key: str, style: str) -> None:
    filler = "# a comment\n" * before
    top, below = {
        "section": ("", f"[training]\n{filler}{key} = 1\n"),
        "dotted": (f"{filler}training.{key} = 1\n", ""),
        "spaced": ("", f"[ training ]\n{filler}  {key}=1\n"),
        "quoted": ("", f'["training"]\n{filler}"{key}" = 1\n'),
    }[style]
    text = f"{top}[serving]\nport = 1\n{below}[recommend]\nk = 3\n"
    wanted = next(n for n, line in enumerate(text.splitlines(), 1) if key in line)
    assert line_of(text, ("training", key)) == wanted


def test_the_defaults_stand() -> None:
    assert parse_settings("") == Settings()
