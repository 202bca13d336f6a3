"""The pages on labels and features of one's own, and on audiences, work when typed: their files are written, their
commands run."""

from __future__ import annotations

import random
import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest

from cli.main import call
from serving.publication import current_directory
from serving.release import Release, open_release
from serving.scoring import score_lines
from tests.test_worked_examples import follow

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
FIRST = date(2025, 1, 1)
QUICK = """
[training]
max_cutoffs = 2
rounds = 15
bootstrap_draws = 100
min_positives = 20
[recommend]
models = ["popularity", "gp_topfreq"]
"""
pytestmark = pytest.mark.usefixtures("tracked")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """(language, what stands beside it, text) of every block of a page."""
    return re.findall(
        r"^```(\w+) ?([^\n]*)\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def write_blocks(root: Path, page: str) -> list[str]:
    """Writes the files that a page shows, and returns its commands."""
    commands = []
    for language, beside, text in blocks(page):
        if language == "sh":
            commands += [line for line in text.splitlines() if line]
        elif beside:
            path = root / beside.removesuffix(" +")
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") if beside.endswith("+") else ""
            path.write_text(f"{before}\n{text}" if before else text, encoding="utf-8")
    return commands


def company(root: Path) -> None:
    """Customers with contracts: who has not ordered for a while, or has the basic plan, rather leaves."""
    rng = random.Random(5)
    orders, labels = ["user_id,ordered_at,order_id,item_id,amount"], ["target,user_id,as_of,y"]
    users, support = ["user_id,plan,seats,expires_at"], ["user_id,known_at,tickets,mood,next_review"]
    for k in range(260):
        user, plan = f"u{k:04d}", rng.choice(["basic", "plus", "pro"])
        users.append(f"{user},{plan},{rng.randint(1, 40)},{FIRST + timedelta(days=rng.randint(370, 700))}")
        day, until, days = rng.randint(0, 40), rng.randint(60, 600), []
        while day < min(364, until):
            days.append(day)
            orders.append(
                f"{user},{FIRST + timedelta(days=day)}T10:00,o{k}-{day},i{rng.randint(1, 9)},{rng.uniform(5, 55):.2f}"
            )
            day += max(1, int(rng.expovariate(0.06)))
        for day in range(10, 360, 90):
            reviewed = FIRST + timedelta(days=day + 120)
            support.append(
                f"{user},{FIRST + timedelta(days=day)},{rng.randint(0, 9)},{rng.choice(['fine', 'angry'])},{reviewed}"
            )
        for day in range(100, 335, 30):
            quiet = not any(day - 45 <= at < day for at in days)
            y = rng.random() < 0.15 + 0.4 * quiet + 0.25 * (plan == "basic")
            labels.append(f"contract_churn,{user},{FIRST + timedelta(days=day)},{int(y)}")
    customers = ["target,customer_id,age,job,balance,y"]
    for k in range(600):
        age, job, balance = rng.randint(18, 80), rng.choice(["admin", "student", "retired"]), rng.gauss(1000, 500)
        y = int(rng.random() < 0.1 + 0.3 * (job != "admin") + 0.2 * (balance > 1300))
        customers.append(f"deposit,c{k:05d},{age},{job},{balance:.2f},{y if k < 550 else ''}")
    for name in ("orders", "labels", "users", "support", "customers"):
        (root / f"{name}.csv").write_text("\n".join(locals()[name]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("own")
    company(place)
    return place


def quickly(root: Path) -> None:
    """Small trainings: how good they are is tested elsewhere."""
    with (root / "reprise.toml").open("a") as settings:
        settings.write(QUICK)
        if root.name == "contracts":
            names = ("repurchase", "churn", "second_order", "win_back")
            settings.write("".join(f"[targets.{name}]\nhorizons = [30]\n" for name in names))


@pytest.fixture(scope="module")
def told(folder: Path, tracked: None) -> dict[str, str]:
    """What the commands of the page on labels say; those of features come on top of the same workspace."""
    said = {}
    with pytest.MonkeyPatch.context() as patched, pytest.MonkeyPatch.context():
        patched.chdir(folder)
        commands = write_blocks(folder, "own_labels.md")
        for name in ("contracts", "deposits"):
            quickly(folder / name)
        for command in commands:
            said[command] = run(command)
        for command in write_blocks(folder, "own_features.md"):
            said[command] = run(command)
    return said


def run(command: str) -> str:
    """What a command says; it must end well."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = call(shlex.split(command)[1:])
    assert code == 0, f"{command}\n{out.getvalue()}"
    return out.getvalue()


def release(root: Path) -> Release:
    return open_release(current_directory(root / "releases"), canary=False)


def test_a_target_of_labels_is_trained_by_its_dates_and_served(told: dict[str, str], folder: Path) -> None:
    assert "contract_churn 30 d, from labels, judged on 2025-11-07 (full)" in told["reprise -w contracts run"]
    assert "contract churn" in told["reprise -w contracts explain u0003"]
    assert "contract_churn\t30\t2025-11-07\tfull" in told["reprise -w contracts backtest contract_churn"]
    served = release(folder / "contracts")
    card = served.cards["contract_churn_30d"]
    assert card["judged"]["protocol"] == "full"
    assert card["outcome"] == "labels"
    assert served.models["contract_churn", 30].population == "days_until_expires_at <= 400"


def test_a_table_of_labels_alone_is_split_at_random_and_says_so(told: dict[str, str], folder: Path) -> None:
    said = told["reprise -w deposits run"]
    assert (
        "(random): the labels have one date or none: a quarter of the customers, chosen at random, was judged" in said
    )
    assert "30 days are assumed" in said
    served = release(folder / "deposits")
    assert served.cards["deposit_30d"]["judged"]["protocol"] == "random"
    assert any("judged at random it looks better" in note for note in served.cards["deposit_30d"]["notes"])
    assert len(served.scores) == 600


def test_own_features_are_listed_built_and_learnt_from(told: dict[str, str], folder: Path) -> None:
    listed = told["reprise -w contracts features list"]
    for name in (
        "sales_10d",
        "dearest_order",
        "tickets",
        "mood",
        "days_until_next_review",
        "plan",
        "days_until_expires_at",
    ):
        assert name in listed
    header = (folder / "contracts" / "features.csv").read_text().splitlines()[0]
    assert "sales_10d" in header
    assert "tickets" in header


def test_raw_lines_are_scored_as_in_the_batch(told: dict[str, str], folder: Path) -> None:
    """The release holds the SQL and the rows of the tables: what HTTP counts is what the night counted."""
    assert call(["-w", str(folder / "contracts"), "run", "--replace"]) == 0
    served = release(folder / "contracts")
    assert {feature.name for feature in served.own.features} >= {"sales_10d", "tickets", "plan"}
    lines = [line.split(",") for line in (folder / "orders.csv").read_text().splitlines()[1:]]
    theirs = [dict(zip(("user_id", "ordered_at", "order_id", "item_id"), line, strict=False), amount=float(line[4]))
              for line in lines if line[0] in ("u0003", "u0100")]  # fmt: skip
    again = {
        (s["user_id"], s["target"]): s["probability"] for s in score_lines(served, served.as_of, theirs).to_pylist()
    }
    for user in ("u0003", "u0100"):
        batch = {s["target"]: s["probability"] for s in served.scores.of(user)}
        assert batch["contract_churn"] == pytest.approx(again[user, "contract_churn"], abs=1e-12)
    known = served.features(["entity_id", "sales_10d", "tickets"])
    assert pc.sum(known["tickets"]).as_py() > 0


def test_a_changed_file_changes_the_run(told: dict[str, str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = folder / "contracts"
    path = root / "features" / "extra" / "tempo.sql"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(":w10", ":w20"), encoding="utf-8")
    try:
        assert call(["-w", str(root), "run"]) == 2
        assert "features/extra.tempo.sql was" in capsys.readouterr().err
    finally:
        path.write_text(before, encoding="utf-8")


WRONG = {
    '[targets.left]\noutcome = "labels"\n': (2, "the labels say nothing of it"),
    '[targets.contract_churn]\nhorizons = [30, 90]\noutcome = "labels"\n': (2, "one horizon, as a label says one"),
    '[targets.contract_churn]\noutcome = "labels"\nmin_amount = 3.0\n': (2, 'nothing, where outcome = "labels"'),
    '[targets.contract_churn]\noutcome = "labels"\npopulation = "seets > 3"\n': (2, 'no field "seets"'),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "said"), WRONG.items(), ids=list(WRONG))
def test_what_labels_cannot_be_asked_is_told(
    tmp_path: Path, folder: Path, settings: str, said: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    tables = "".join(f'[tables.{name}]\nfiles = ["{folder}/{name}.csv"]\n' for name in ("orders", "labels"))
    text = f'time_zone = "UTC"\n{tables}'
    (tmp_path / "reprise.toml").write_text(text + settings)
    assert call(["-w", str(tmp_path), "run"]) == said[0]
    assert said[1] in capsys.readouterr().err


def test_the_page_on_audiences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    follow("audiences.md", tmp_path, capfd)
