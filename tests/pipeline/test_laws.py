"""Two laws of the served answers: what the release holds is what GET answers, and what POST of raw lines answers.

On a made-up shop with every table, and on Online Retail where it is there. The models are trees by decree, whatever
the gate says of them: they read many more features than a rule does, and the laws are about features.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import rules
from features.source import StoreSource
from models.calibration import IDENTITY
from pipeline.releasing import publish_release
from serving import answers
from serving.complements import Complement
from serving.raw_lines import MAX_LINES
from serving.release import Release
from serving.scoring import score_lines
from training.trainer import Trainer
from warehouse.progress import silent
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

TOLERANCE = 1e-9
USERS = 1_000
ALONE = 3
LOADED_AT = datetime(2026, 10, 2)
ONLINE_RETAIL = Path(__file__).parents[2].parent / "shared" / "data" / "online_retail"
QUICK = """
[training]
max_cutoffs = 2
rounds = 40
bootstrap_draws = 100
"""

Lines = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Case:
    """A release, and the raw lines of each customer by table, as they stand in the files."""

    release: Release
    lines: Mapping[str, Lines]

    def users(self) -> list[str]:
        """The customers the laws are asked of, of those with at most 1,000 lines: most with few lines, so that few
        requests hold them, and every so many of the others up to those with the most."""
        held = self.release.scores.users.to_pylist()
        counts = {user: _count(self.lines.get(user, {})) for user in held}
        asked = sorted((u for u in held if 0 < counts[u] <= MAX_LINES), key=lambda user: (counts[user], user))
        few, rest = asked[: USERS * 9 // 10], asked[USERS * 9 // 10 :]
        wanted = USERS - len(few)
        return few + [rest[(k + 1) * len(rest) // wanted - 1] for k in range(wanted)]


def _count(lines: Lines) -> int:
    return sum(len(rows) for rows in lines.values())


def _release(workspace: Workspace, as_of: date) -> Release:
    """Trees for one question, its complement beside them, published as any release is."""
    store = Store(workspace)
    store.load_new(LOADED_AT)
    trainer = Trainer(workspace, store)
    report = trainer.train_all(as_of, only="repurchase", horizon=30)
    (trained,) = report.trained
    assert trained.candidate.model.kind == "lightgbm"
    trainer.registry.promote("repurchase", 30, trained.candidate.model.version, "so that the laws see trees", "test")
    return publish_release(workspace, StoreSource(store), trainer.snapshots, as_of, "laws", [], silent).release


def _workspace(folder: Path, files: dict[str, Path], **wishes: Any) -> Workspace:
    init_workspace(folder, files, **wishes)
    settings = folder / "reprise.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK, encoding="utf-8")
    return Workspace.open(folder)


def _by_user(tables: Mapping[str, Iterable[dict[str, Any]]]) -> Mapping[str, Lines]:
    lines: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for table, rows in tables.items():
        for row in rows:
            if row.get("user_id"):
                lines.setdefault(row["user_id"], {}).setdefault(table, []).append(row)
    return lines


def _read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file as they would be sent: empty cells left out, times as text."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    return [{name: _sent(value) for name, value in row.items() if value not in (None, "")} for row in rows]


def _sent(value: Any) -> Any:
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value


def made_up(folder: Path) -> Case:
    """A shop of 1,200 customers with every table; scored 40 days before its end, so that later rows are there too."""
    shop = make_shop(folder / "shop", users=1_200, seed=11, days=300)
    files = {name: path for name, path in shop.files.items() if name != "identities"}
    policies = {"orders": {"non_products": shop.non_products}}
    workspace = _workspace(folder, files, tz=shop.time_zone, currency=shop.currency, policies=policies)
    release = _release(workspace, shop.end - timedelta(days=40))
    return Case(
        release, _by_user({"orders": _read(shop.files["orders"]), "events": _joined(_read(shop.files["events"]))})
    )


def _joined(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the user of the next login on the device where an act has none, known since that login was: whoever sends
    lines knows by then whose they are."""
    logins: dict[str, list[tuple[str, str, str]]] = {}
    for row in events:
        if row.get("user_id") and row.get("device_id"):
            at = row["occurred_at"]
            logins.setdefault(row["device_id"], []).append((max(at, row.get("recorded_at", at)), at, row["user_id"]))
    found = []
    for row in events:
        at = row["occurred_at"]
        later = [login for login in logins.get(row.get("device_id", ""), []) if login[1] >= at]
        if row.get("user_id") or not later:
            found.append(row)
            continue
        known, _, user = min(later)
        # Two acts of one second were told apart by when they were recorded: now by a microsecond, or one is a copy.
        known_at = f"{max(known, row.get('recorded_at', at))}.{len(found) % 1_000_000:06}"
        found.append({**row, "user_id": user, "recorded_at": known_at})
    return found


def online_retail(folder: Path) -> Case:
    """Real orders with their dirt; the file reaches three months beyond the date of the scores."""
    files = sorted(ONLINE_RETAIL.glob("*.parquet"))
    if not files:
        pytest.skip("Online Retail is not there (../shared/data/online_retail)")
    workspace = _workspace(folder, {"orders": files[0]}, preset="online-retail")
    theirs = workspace.settings.tables["orders"].columns
    table = pq.read_table(files[0], columns=list(theirs.values())).rename_columns(list(theirs))
    known = table.filter(table["user_id"].is_valid()).set_column(
        table.column_names.index("user_id"), "user_id", table["user_id"].drop_null().cast(pa.int64()).cast(pa.string())
    )
    rows = [{name: _sent(value) for name, value in row.items()} for row in known.to_pylist()]
    return Case(_release(workspace, date(2011, 6, 11)), _by_user({"orders": rows}))


@pytest.fixture(scope="module", params=[made_up, online_retail])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    make: Callable[[Path], Case] = request.param
    return make(tmp_path_factory.mktemp(make.__name__))


Entry = tuple[str, str, int]
Answer = tuple[float | None, float | None, str | None, str]


def _entry(user: str, row: Mapping[str, Any]) -> tuple[Entry, Answer]:
    answer = row["probability"], row["percentile"], row["state"], row["model_version"]
    return (user, row["target"], row["horizon_days"]), answer


def _written(release: Release) -> dict[Entry, Answer]:
    """The scores as the file of the release has them, read past all serving code."""
    rows = pq.read_table(release.directory / "scores.parquet").to_pylist()
    return dict(_entry(row["user_id"], row) for row in rows)


def _same(found: Mapping[Entry, Answer], written: Mapping[Entry, Answer]) -> None:
    assert found
    for key, (probability, percentile, state, version) in found.items():
        expected = written[key]
        assert (state, version) == expected[2:], key
        assert probability == (expected[0] if expected[0] is None else pytest.approx(expected[0], abs=TOLERANCE)), key
        assert percentile == (expected[1] if expected[1] is None else pytest.approx(expected[1], abs=TOLERANCE)), key


def _posts(case: Case, users: Sequence[str]) -> Iterator[list[str]]:
    """The users in groups whose lines fit into one request."""
    group: list[str] = []
    held = 0
    for user in users:
        count = _count(case.lines[user])
        if group and held + count > MAX_LINES:
            yield group
            group, held = [], 0
        group.append(user)
        held += count
    yield group


def _posted(case: Case, group: Sequence[str]) -> list[dict[str, Any]]:
    """What one request of the raw lines of these customers answers."""
    orders, events = (
        [row for user in group for row in case.lines[user].get(name, [])] for name in ("orders", "events")
    )
    return score_lines(case.release, case.release.as_of, orders, events, LOADED_AT).to_pylist()


def test_get_answers_what_the_release_holds(case: Case) -> None:
    written = _written(case.release)
    users = case.users()
    assert len(users) == USERS
    found: dict[Entry, Answer] = {}
    for user in users:
        answer = answers.user_scores(case.release, user)
        assert answer["known"]
        found |= dict(_entry(user, row) for row in answer["scores"])
    _same(found, written)
    assert len(found) == USERS * len(case.release.models)


def test_post_of_raw_lines_answers_what_the_release_holds(case: Case) -> None:
    written = _written(case.release)
    users = case.users()
    found: dict[Entry, Answer] = {}
    for group in _posts(case, users):
        found |= dict(_entry(row["user_id"], row) for row in _posted(case, group))
    # Lines of later dates only make nobody a customer of this date: everyone asked about is one.
    assert {user for user, _, _ in found} == set(users)
    _same(found, written)


def test_churn_is_one_minus_repurchase_on_its_own_population(case: Case) -> None:
    """For every customer by what GET answers, for some by what POST of their lines answers; to the last bit."""
    release = case.release
    churn = release.models["churn", 30]
    assert isinstance(churn, Complement)
    # A calibrated model: with the identity as its map a wrongly mirrored one would answer right all the same.
    assert churn.of.calibration != IDENTITY
    features = release.features()
    inside = rules.evaluate(rules.parse(churn.population), features)
    assert 0.1 < inside.mean() < 0.9
    last = dict(zip(features["entity_id"].to_pylist(), features["days_since_last_act"].to_pylist(), strict=True))
    asked = {user for user, one in zip(last, inside, strict=True) if one}
    for user in last:
        told = {(row["target"], row["horizon_days"]): row for row in answers.user_scores(release, user)["scores"]}
        _one_minus(told["churn", 30], told["repurchase", 30], user in asked, last[user])
    # One request holds many customers; some are asked about alone as well.
    for group in (
        next(_posts(case, [u for u in case.users() if (u in asked) == known][::9])) for known in (True, False)
    ):
        for together in (group, *([user] for user in group[:ALONE])):
            answered: dict[str, dict[tuple[str, int], Any]] = {}
            for row in _posted(case, together):
                answered.setdefault(row["user_id"], {})[row["target"], row["horizon_days"]] = row
            assert answered.keys() == set(together)
            for user, told in answered.items():
                _one_minus(told["churn", 30], told["repurchase", 30], user in asked, last[user])


def _one_minus(churn: Mapping[str, Any], repurchase: Mapping[str, Any], inside: bool, last: float | None) -> None:
    if inside:
        assert churn["probability"] == 1 - repurchase["probability"]
        assert churn["state"] is None
    else:
        assert (churn["probability"], churn["percentile"]) == (None, None)
        assert churn["state"] == ("no act yet" if last is None else "already inactive")
    assert churn["model_version"] == repurchase["model_version"]
