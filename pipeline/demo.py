"""The main job from nothing: a made-up shop, checked, modelled, scored, turned into audiences and served."""

from __future__ import annotations

import json
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiences.suppression import unprofiled
from pipeline import lists, nightly
from pipeline.nightly import RunReport, Watch
from serving import customers
from serving.release import Release
from serving.runner import serve
from warehouse.errors import UsageError
from warehouse.files import write_text
from warehouse.progress import Progress
from warehouse.shop import ShopReport, make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

MARK = ".made-by-demo"
TABLES = {
    "orders": "orders.csv",
    "events": "events.parquet",
    "users": "users.csv",
    "items": "items.csv",
    "contacts": "contacts.csv",
    "tags": "tags.csv",
    "identities": "identities.csv",
}
QUICK = {"max_cutoffs": 2, "rounds": 40, "max_rows": 4000, "bootstrap_draws": 200}
_TARGETS = ("repurchase", "churn", "second_order", "win_back")
_SECTIONS = (
    "".join(f"[targets.{name}]  # quick: 30 and 90 days are the default\nhorizons = [30]\n\n" for name in _TARGETS)
    + "[training]  # quick, so that the demo ends in a minute or two; the defaults are 12, 400, 100000 and 1000\n"
)
_RECOMMEND = (
    "[recommend]  # quick: of the defaults two_stage is left out, which is better and takes some minutes here\n"
)
QUICK_MODELS = ("popularity", "personal_frequency", "gp_topfreq", "als", "bm25")
_CLIPPED = 300


@dataclass(frozen=True)
class DemoReport:
    """What the demo made: the run, the audiences, and the example requests with their answers."""

    workspace: Path
    run: RunReport
    audiences: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "workspace": self.workspace,
            "seconds": round(self.seconds, 1),
            "run": self.run.as_dict(),
            "audiences": self.audiences,
            "requests": self.requests,
        }


def demo(
    root: Path,
    users: int,
    seed: int,
    *,
    now: datetime,
    port: int,
    stay: bool,
    progress: Progress,
    tell: Callable[[str], None],
) -> DemoReport:
    """Makes the demo workspace in `root` anew and walks the whole way; with `stay` the service runs until Ctrl-C or
    SIGTERM.
    """
    watch = Watch(tell)
    workspace, shop = _made(root, users, seed, watch, progress)
    report = nightly.run(workspace, loaded_at=_loading_time(now, shop), progress=progress, tell=tell)
    for line in report.closing_lines():
        tell(line)
    watch = _since(watch, tell)
    release = lists.current(workspace)
    audiences: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    seconds: float | None = None
    try:
        with serve(workspace, workspace.settings.serving.host, port, output=root / "service.log") as service:
            for name in workspace.settings.audiences:
                built = lists.build_audience_now(workspace, name, None, None, False, now, progress, release)
                audiences.append(built.as_dict())
                for line in built.lines():
                    tell(f"        {line}")
            watch.step(f"built {len(audiences)} audiences")
            service.wait_ready()
            watch.step(f"service ready at {service.url}")
            requests = [_asked(service.url, *request, tell) for request in _examples(release)]
            watch.step(f"{len(requests)} example requests answered")
            seconds = watch.total
            _what_next(root, service.url, release, stay, tell)
            if stay:
                service.wait()
    except KeyboardInterrupt:
        if seconds is None:
            raise
    return DemoReport(root, report, audiences, requests, seconds or watch.total)


def _since(before: Watch, tell: Callable[[str], None]) -> Watch:
    """A watch that counts from the first step on but times the next step from now."""
    after = Watch(tell)
    after._started = before._started
    return after


def _made(root: Path, users: int, seed: int, watch: Watch, progress: Progress) -> tuple[Workspace, ShopReport]:
    """A fresh workspace around a fresh shop. Only a folder that an earlier demo made is cleared."""
    if root.exists() and any(root.iterdir()):
        if not (root / MARK).exists():
            raise UsageError(f"{root} is not empty and not a demo.", hint="Name another folder with -w DIR.")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARK).touch()
    shop = make_shop(root / "shop", users=users, seed=seed, progress=progress)
    rows = ", ".join(f"{rows:,} {table}" for table, rows in shop.rows.items())
    watch.step(f"made up a shop of {users:,} customers (rows: {rows})")
    files = {table: root / "shop" / name for table, name in TABLES.items()}
    init_workspace(root, files=files, tz=shop.time_zone)
    _adapted(root / "reprise.toml", shop)
    watch.step(f"wrote {root / 'reprise.toml'} (columns, times and policies worked out from the files)")
    return Workspace.open(root), shop


def _loading_time(now: datetime, shop: ShopReport) -> datetime:
    """Now, or the end of the shop where the clock of this machine stands before it: no row may lie in the future."""
    return max(now, datetime.combine(shop.end + timedelta(days=1), time()))


def _adapted(settings: Path, shop: ShopReport) -> None:
    """What the owner of this shop would write by hand: its currency, what is no product, and a training that is quick
    enough for the demo to end within two minutes.
    """
    text = settings.read_text(encoding="utf-8")
    text = re.sub(r'(?m)^currency = ".*?"', f'currency = "{shop.currency}"', text, count=1)
    text = re.sub(r"(?m)^# assumed: currency .*\n", "", text, count=1)
    text = re.sub(r"(?m)^#\[training\].*\n", _SECTIONS, text, count=1)
    text = re.sub(r"(?m)^#\[recommend\].*\n", _RECOMMEND, text, count=1)
    for key, value in {"non_products": shop.non_products, **QUICK, "models": QUICK_MODELS}.items():
        shown = re.compile(rf"(?m)^#{key} = .*?  +# (?:\(an example\) )?")
        text = f"{key} = {json.dumps(value)}  # ".join(shown.split(text, maxsplit=1))
    write_text(settings, text)


def _examples(release: Release) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Requests a first visitor would make: a known customer, an unknown one, an audience, raw order lines."""
    known = quote(_visitor(release), safe="")
    ordered_at = f"{release.as_of - timedelta(days=20)}T10:00:00+08:00"
    order = {"user_id": "visitor", "ordered_at": ordered_at, "amount": "199"}
    raw = {"as_of": release.as_of.isoformat(), "orders": [order]}
    return [
        ("GET", "/v1/release", None),
        ("GET", f"/v1/users/{known}/scores", None),
        ("GET", f"/v1/users/{known}/suggestions?k=3", None),
        ("GET", "/v1/users/nobody-knows-me/suggestions?k=2", None),
        ("POST", "/v1/audience", {"rule": "churn_probability in top 10 %", "limit": 3}),
        ("POST", "/v1/score", raw),
    ]


def _visitor(release: Release) -> str:
    """Somebody to show: the active customer with the highest churn probability over the shortest horizon."""
    columns = ["user_id", "target", "horizon_days", "probability"]
    scores = pq.read_table(release.directory / "scores.parquet", columns=columns)
    known = scores.filter(pc.and_(pc.equal(scores["target"], "churn"), pc.is_valid(scores["probability"])))
    known = known.filter(pc.equal(known["horizon_days"], pc.min(known["horizon_days"])))
    people = customers.attributes(release)
    if people is not None:
        # Who refused profiling is shown what everybody is: nothing to see.
        refused = people["entity_id"].filter(pa.array(unprofiled(people))).combine_chunks()
        known = known.filter(pc.invert(pc.is_in(known["user_id"], value_set=refused)))
    best = known.sort_by([("probability", "descending"), ("user_id", "ascending")])["user_id"]
    return str((best if len(best) else scores["user_id"])[0].as_py())


def _asked(
    base: str, method: str, path: str, body: dict[str, Any] | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Makes one request and tells it as the curl line that repeats it, with the answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read().decode()
    typed = f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body is not None else ""
    tell(f"$ curl '{base}{path}'{typed}")
    tell(answer if len(answer) <= _CLIPPED else f"{answer[:_CLIPPED]} … ({len(answer):,} characters)")
    return {"method": method, "path": path, "body": body, "status": 200, "answer": json.loads(answer)}


def _what_next(root: Path, url: str, release: Release, stay: bool, tell: Callable[[str], None]) -> None:
    user, reprise = _visitor(release), _program()
    tell("What to type next:")
    for line in (
        f"{reprise} -w {root} explain {user}",
        f"{reprise} -w {root} recommend {user} -k 5",
        f"{reprise} -w {root} backtest repurchase --horizon 30",
        f"{reprise} -w {root} audience build my_list --rule 'churn_probability in top 10 % and amount_365d > 500'",
        f"{reprise} -w {root} export scores --format wide --out scores.csv",
        f"{reprise} init my-shop --orders orders.csv && {reprise} -w my-shop run",
    ):
        tell(f"  {line}")
    tell(f"Serving on {url} until Ctrl-C; its pages are at {url}/docs." if stay else "The service is stopped.")


def _program() -> str:
    """How `reprise` is called from here: by its name where the shell finds it, else by its path."""
    if shutil.which("reprise"):
        return "reprise"
    path = Path(sys.executable).with_name("reprise")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
