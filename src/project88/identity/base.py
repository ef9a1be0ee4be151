"""What is kept so that a few new records can be linked to millions: a DuckDB file that can always be made again.

>>> base = Base.make(folder, records, within=("timing_partner",))
>>> found = base.add(changed)                # found.groups: all records of every group that may have changed
>>> found = base.remove(["runsignup/7/12"])

Records are linked within a scope first (those of one timing partner, say), as if each scope were alone: neither which
pairs are looked at, nor how rare a value is, nor how a name is read depends on another's records. Then groups of two
scopes are joined, whole. The parameters are learned of all records together, and can be kept elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from project88.errors import ActionNeeded
from project88.identity import answers, candidates, cleaning, clusters, columns, duck, profiles, scoring
from project88.identity.comparing import levels

# A pair is linked from this probability on. A wrong link shows somebody another's results: high, so. Where the data are
# damaged, fields fail together and the sum of their weights says too little for those that are one.
THRESHOLD, THRESHOLD_DAMAGED = 0.95, 0.75
FILE = "identity.duckdb"
# Counts up with each change of what is kept, or of how records are read.
FORMAT = 2
KNOWN = "(select hashed as scope, f1, l from rated join scopes using (scope))"
_THERE = "select rowid as place, record_id, p, said from entries"
Say = Callable[[str], None]

_CHANCES = ", ".join(
    f"{prefix}{name} {'integer' if name == 'c_among' else 'boolean' if name == 'is_known_name' else 'float'}"
    for prefix in ("", "w_")
    for name in profiles.CHANCES
)
_ACROSS = ", ".join(f"w_{name} as {name}" for name in profiles.CHANCES)
_OWN = ", ".join([*profiles.CHANCES, *(f"w_{name}" for name in profiles.CHANCES)])
TABLES = f"""
    create table about (name varchar, value varchar);
    -- number of a scope, and the hash of what it is told by
    create table scopes (hashed ubigint, scope integer);
    -- every record; without p it stands for nobody. `said`: a hash of all it says
    create table entries (record_id varchar, p integer, said ubigint, event ubigint, bib varchar);
    -- every distinct content within a scope, with the chances of its values in its scope, and (w_) over all
    create table rated (
        p integer, h ubigint, scope integer, f1 varchar, fa varchar, middle varchar, l varchar, lt varchar[], suffix varchar,
        sex varchar, dob date, dob_digits varchar, lo integer, hi integer, mail varchar, tel varchar, city varchar, region varchar,
        country varchar, nationality varchar, postcode varchar, team varchar, street varchar, member varchar,
        formal varchar[], roots varchar[], ff varchar, lf varchar, middle_initial varchar, someone ubigint, {_CHANCES}
    );
    create view rated_across as select * exclude ({_OWN}), {_ACROSS} from rated;
    create table keys (k ubigint, p integer, kind utinyint, scope integer);
    -- the largest group under one kind of key that is compared whole
    create table limits (stage tinyint, kind utinyint, s integer, most integer);
    -- stage 0 is within scopes, stage 1 across them
    create table links (stage tinyint, a integer, b integer, bits float);
    create table cuts (stage tinyint, a integer, b integer);
    create table doubts (stage tinyint, p integer, bits float);
    create table copied (p integer, bits float, is_one boolean);
    -- of large scopes, as they were first counted: how many people and profiles; the chance of values that many have
    create table peopled (s integer, people bigint, among integer);
    create table commons (kind utinyint, s integer, v varchar, chance float, held_by integer);
    create table persons (stage tinyint, p integer, component integer, g integer)
"""


@dataclass
class Found:
    """Groups and links, as Arrow tables.

    `groups`: record_id, group, confidence, wide_group, wide_confidence. Of each group that is in it, it has all records. A
    group is told by its smallest record_id, so it is no lasting name. confidence is how likely the record belongs with
    the others of its group, or, where it is alone, how likely it belongs with nobody. `group` is within the scope, `wide_group`
    over all scopes; without scopes they are the same.
    `links`: record_id, other_record_id, score (bits for against), probability, agreed, disagreed, rule, across (whether
    the records are of two scopes).
    """

    groups: pa.Table
    links: pa.Table


class Base:
    """Records that are linked, and what it takes to link more to them."""

    def __init__(self, db: duckdb.DuckDBPyConnection, folder: Path | None = None) -> None:
        """Use `make` or `open`."""
        self._db = db
        self.folder = folder
        self.parameters: scoring.Parameters
        self.within: tuple[str, ...] = ()
        self.seed = 88
        self.threshold: float | None = None

    # -- made, opened, closed --------------------------------------------------------------------------------------

    @classmethod
    def make(
        cls,
        folder: Path | str,
        records: Any,
        parameters: scoring.Parameters | None = None,
        *,
        within: Sequence[str] = (),
        threshold: float | None = None,
        seed: int = 88,
        memory: str = "4GB",
        threads: int | None = None,
        say: Say | None = None,
    ) -> Base:
        """Link all records, keep what was found in `folder`, in the place of what was there, and return it.

        `within` are columns (of `columns.COLUMNS`) whose values part the records into scopes. `parameters` are those of an
        earlier base, where they are not to be learned anew.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        unknown = sorted(set(within) - set(columns.COLUMNS))
        if unknown:
            raise ActionNeeded(
                f"{', '.join(unknown)}: not a column the linkage knows; it knows {', '.join(columns.COLUMNS)}"
            )
        # Of a process that was ended while it made one. Only one makes at a time.
        for left in folder.glob(".making-*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as part:
            made = Path(part) / FILE
            base = cls(duck.connect(made, memory, threads))
            try:
                base.link(columns.standard(records), parameters, within, threshold, seed, say or (lambda _: None))
                base._keep()
                base._db.execute("checkpoint")
            finally:
                base._db.close()
            log = folder / f"{FILE}.wal"
            if log.exists():
                # Of a process that was ended: the log must not meet the new file. What it says goes into the old one.
                with contextlib.suppress(duckdb.Error):
                    duckdb.connect(str(folder / FILE)).close()
                log.unlink(missing_ok=True)
            made.replace(folder / FILE)
        return cls.open(folder, memory=memory, threads=threads)

    @classmethod
    def open(cls, folder: Path | str, *, memory: str = "4GB", threads: int | None = None) -> Base:
        """Return what is kept in a folder. Raises ActionNeeded where there is nothing, or nothing that can be used."""
        folder = Path(folder)
        file = folder / FILE
        again = "make it again from all records (Base.make)"
        if not file.exists():
            raise ActionNeeded(f"{file}: no linked records are kept there; {again}")
        try:
            db = duck.connect(file, memory, threads)
        except duckdb.Error as error:
            if "lock" in str(error).lower():
                raise ActionNeeded(f"{file}: another process has it open; wait until that is done") from None
            raise ActionNeeded(f"{file}: cannot be read ({str(error).splitlines()[0]}); {again}") from None
        base = cls(db, folder)
        try:
            base._recall()
        except (duckdb.Error, ValueError, KeyError, ActionNeeded) as error:
            db.close()
            raise ActionNeeded(
                f"{file}: damaged or of another version ({str(error).splitlines()[0]}); {again}"
            ) from None
        return base

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Base:
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    # -- what callers do -------------------------------------------------------------------------------------------

    def add(self, records: Any) -> Found:
        """Link records that are new, or say something new (the same record_id replaces), and return what may have changed.

        All of it is kept, or nothing. Records that say what they said before change nothing.
        """
        given = columns.standard(records)
        with self._whole():
            self._take(given, lambda _: None, self.parameters)
            return self._touched()

    def remove(self, record_ids: Iterable[str], *, erase: bool = False) -> Found:
        """Take records out and return what may have changed; those that are not there are passed over.

        `erase` leaves nothing of them in the file either, for which it is written anew (a minute for millions of records).
        """
        self._db.register("ids", pa.table({"record_id": pa.array([str(one) for one in record_ids], pa.string())}))
        with self._whole():
            self._db.execute(f"""
                create or replace temp table mentioned as select distinct record_id from ids;
                create or replace temp table there as {_THERE} semi join mentioned using (record_id)
            """)
            self._leave()
            self._settle()
            found = self._touched()
        self._db.unregister("ids")
        if erase:
            self._write_anew()
        return found

    def found(self) -> Found:
        """Return the groups and links of all records."""
        self._db.execute("create or replace temp table asked as select p from rated")
        return self._answer("true")

    @property
    def records(self) -> int:
        """Return how many records there are."""
        return int(duck.row(self._db, "select count(*) from entries")[0])

    @property
    def growth(self) -> float:
        """Return how many times as many profiles there are as when it was made: from 1.5 or so it should be made again.

        How rare a value is and how large a group may be to be compared whole follow only roughly while it grows.
        """
        made, now = duck.row(
            self._db, "select (select value::bigint from about where name = 'made_with'), (select count(*) from rated)"
        )
        return float(now / max(made, 1))

    # -- how it is kept --------------------------------------------------------------------------------------------

    def link(
        self,
        given: pa.Table,
        parameters: scoring.Parameters | None,
        within: Sequence[str],
        threshold: float | None,
        seed: int,
        say: Say,
    ) -> None:
        """Link the first records, in an empty database."""
        self.within, self.threshold, self.seed = tuple(within), threshold, seed
        self._db.execute(TABLES)
        self._prepare()
        self._take(given, say, parameters, is_first=True)

    def _prepare(self) -> None:
        self._db.execute("create or replace temp macro sure(bits) as 1 / (1 + pow(2, -least(bits, 60)))")

    def _about(self) -> dict[str, Any]:
        return {"format": FORMAT, "duckdb": duckdb.__version__}

    def _keep(self) -> None:
        told = {
            **self._about(), "within": list(self.within), "threshold": self.threshold, "seed": self.seed,
            "parameters": self.parameters.to_dict(),
            "made_with": duck.row(self._db, "select count(*) from rated")[0],
        }  # fmt: skip
        self._db.executemany("insert into about values (?, ?)", [(name, json.dumps(one)) for name, one in told.items()])

    def _recall(self) -> None:
        told = {name: json.loads(value) for name, value in self._db.execute("from about").fetchall()}
        for name, value in self._about().items():
            # DuckDB's own hashes are kept, which another version may make otherwise.
            if told.get(name) != value:
                raise ValueError(f"{name} is {told.get(name)}, needed is {value}")
        self.within, self.threshold, self.seed = tuple(told["within"]), told["threshold"], told["seed"]
        self.parameters = scoring.Parameters.from_dict(told["parameters"])
        self._prepare()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        self._db.execute("begin")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _write_anew(self) -> None:
        """Copy what is there into a file of its own and put it in the place of the old, whose free blocks hold what is gone."""
        assert self.folder is not None
        file = self.folder / FILE
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self.folder) as part:
            made = Path(part) / FILE
            quoted = str(made).replace("'", "''")
            (name,) = duck.row(self._db, "select current_database()")
            self._db.execute("checkpoint")
            self._db.execute(f"attach '{quoted}' as anew")
            self._db.execute(f'copy from database "{name}" to anew')
            self._db.execute("detach anew")
            memory, threads = duck.row(self._db, "select current_setting('memory_limit'), current_setting('threads')")
            self._db.close()
            made.replace(file)
        self._db = duck.connect(file, memory, threads)
        self._recall()

    # -- the steps -------------------------------------------------------------------------------------------------

    def _take(self, given: pa.Table, say: Say, parameters: scoring.Parameters | None, is_first: bool = False) -> None:
        """Link `given`, and replace what had the same ids; the parameters are learned where there are none."""
        db, scoped = self._db, bool(self.within)
        first = int(duck.row(db, "select coalesce(max(p), -1) + 1 from rated")[0])
        db.register("given", given)
        # Found once: a look through the ids of millions is much of what it takes to add a few.
        db.execute(f"create or replace temp table there as {_THERE} semi join given using (record_id)")
        if not is_first:
            given = db.sql(
                # What they say is told apart from what is kept, which has columns of the same names.
                f"select g.* exclude (says) from (select *, {cleaning.SAID} as says from given) as g "
                "where not exists (from there where there.record_id = g.record_id and said = says)"
            ).to_arrow_table()
        db.unregister("given")
        if not is_first and not given.num_rows:
            db.execute("""
                create or replace temp table mentioned (record_id varchar);
                create or replace temp table around (p integer)
            """)
            return
        say(f"{given.num_rows:,} records: reading names, dates and places")
        reading = cleaning.clean(
            db, given, self.within, parameters.reading if parameters else None, None if is_first else KNOWN
        )
        db.execute("create or replace temp table mentioned as select record_id from records")
        self._leave()
        count = profiles.take(db, self.seed, first)
        say(f"{count:,} different: looking for candidates")
        profiles.rate(db, scoped)
        candidates.find(db, first)
        for stage in range(1 + scoped):
            pairs = candidates.pair(db, first, stage == 1)
            say(f"{pairs:,} pairs{' across' if stage else ''}")
            if parameters is None:
                parameters = scoring.learn(db, count, pairs)
                parameters.reading = reading
                say(f"learned in {parameters.rounds} rounds")
            self.parameters = parameters
            self._score(stage)
            db.execute("drop table pairs")
        say("linking")
        self._settle(is_first=is_first)

    def _leave(self) -> None:
        """Delete the entries `mentioned`, of those `there`; `start` has their profiles, and nobody `came` yet."""
        self._db.execute("""
            create or replace temp table alike (stage tinyint, p integer);
            create or replace temp table came (record_id varchar, p integer, said ubigint, event ubigint, bib varchar);
            create or replace temp table start as
            select distinct p from there semi join mentioned using (record_id) where p is not null;
            delete from entries where rowid in (select place from there semi join mentioned using (record_id))
        """)

    @property
    def _limit(self) -> float:
        """Return the bits from which a pair is linked."""
        damage = self.parameters.damage
        usual = THRESHOLD_DAMAGED if damage.first_names and damage.birth_dates else THRESHOLD
        return scoring.bits_of(usual if self.threshold is None else self.threshold)

    def _score(self, stage: int) -> None:
        """Keep of `pairs` the links (above the threshold), and the best of the others as each profile's doubt.

        `alike` gets the profiles of both.
        """
        damage, across, limit = self.parameters.damage, stage == 1, self._limit
        self._db.execute(f"""
            create or replace temp table scored as
            select a, b, bits::float as bits from (
                {levels("pairs", f", {scoring.score_sql(self.parameters)} as bits", damage, across)}
            ) where not vetoed and corroborated and bits > -3;
            insert into links select {stage}, a, b, bits from scored where bits >= {limit};
            create or replace temp table doubting as
            select p, max(bits) as bits from (
                select a as p, bits from scored where bits < {limit} union all select b, bits from scored where bits < {limit}
                union all select p, bits from doubts where stage = {stage} and (p in (select a from scored) or p in (select b from scored))
            ) group by p;
            delete from doubts where stage = {stage} and p in (select p from doubting);
            insert into doubts select {stage}, p, bits from doubting;
            insert into alike select {stage}, a from scored union select {stage}, b from scored;
            drop table scored;
            drop table doubting
        """)

    def _settle(self, *, is_first: bool = False) -> None:
        """Group again what hangs together with `start` (who was left), who `came`, and `alike` (whom they met)."""
        db = self._db
        db.execute("""
            create or replace temp table began as
            select p from start union select p from alike where stage = 0
            union select p from came where p is not null;
            create or replace temp table orphans as
            select p from began where p not in (select p from entries semi join began using (p));
            create or replace temp table hanging as
            select distinct stage, component from persons where p in (select p from began);
        """)
        for table in ("rated", "keys", "doubts", "copied"):
            db.execute(f"delete from {table} where p in (select p from orphans)")
        for table in ("links", "cuts"):
            db.execute(f"delete from {table} where a in (select p from orphans) or b in (select p from orphans)")
        db.execute("delete from persons where p in (select p from orphans)")
        db.execute("""
            create or replace temp table near as
            select p from (
                select p from persons where stage = 0 and component in (select component from hanging where stage = 0)
                union select p from began
            ) where p not in (select p from orphans);
            create or replace temp table far as
            select p from persons where stage = 1 and component in (
                select component from hanging where stage = 1
                union select component from persons where stage = 1
                    and (p in (select p from near) or p in (select p from alike where stage = 1))
            ) union select p from near
        """)
        if not is_first:
            self._renew()
        self._copies()
        db.execute("create or replace temp table around as select p, p as node from near")
        clusters.settle(db, 0, self.parameters.damage)
        if self.within:
            db.execute(
                "create or replace temp table around as select p, g as node from far join persons using (p) where stage = 0"
            )
            clusters.settle(db, 1, self.parameters.damage)

    def _renew(self) -> None:
        """Score again the links of the groups that are touched: a name that two more bear now is worth less to all of them.

        Without that, of two links of a record the one that came first would weigh more. In a scope that nothing was
        added to, nothing is scored again but the links across: when its links change must not tell of others either.
        """
        profiles.renew(self._db, bool(self.within))
        for stage, which in enumerate(("near", "far")[: 1 + bool(self.within)]):
            self._db.execute(f"""
                create or replace temp table pairs as
                select a, b from links where stage = {stage} and a in (select p from {which});
                delete from links where stage = {stage} and a in (select p from {which})
            """)
            self._score(stage)

    def _copies(self) -> None:
        """Say in `copied`, for the profiles that were touched, whether their several entries are one person."""
        copies = """(
            select p as a, p as b from entries where p in (select p from began) group by p having count(*) > 1
        )"""
        self._db.execute(f"""
            delete from copied where p in (select p from began);
            insert into copied
            select a, bits::float, not vetoed and corroborated and bits >= {self._limit}
            from ({levels(copies, f", {scoring.score_sql(self.parameters)} as bits")})
        """)

    def _touched(self) -> Found:
        self._db.execute("create or replace temp table asked as select p from around")
        return self._answer("record_id in (select record_id from mentioned)")

    def _answer(self, nameless: str) -> Found:
        return Found(answers.groups(self._db, nameless, bool(self.within)), answers.links(self._db))
