"""`p88 link`."""

from __future__ import annotations

from pathlib import Path

import click

OUT = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=OUT)
@click.option("-o", "--output", required=True, type=OUT, help="Persons: record_id, person_id, confidence.")
@click.option("--evidence", type=OUT, help="Links with their score and the fields that agreed.")
@click.option(
    "--column", "pairs", multiple=True, metavar="OURS=THEIRS", help="A column under another name, such as city=Wohnort."
)
@click.option("--threshold", type=click.FloatRange(0.5, 1, max_open=True), help="How likely a link must be (0.95).")
@click.option("--memory", default="4GB", show_default=True, help="Most memory to work in; the rest is spilled to disk.")
@click.option("--seed", default=88, show_default=True, help="What is drawn at random while learning follows from it.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def link(
    file: Path,
    output: Path,
    evidence: Path | None,
    pairs: tuple[str, ...],
    threshold: float | None,
    memory: str,
    seed: int,
    quiet: bool,
) -> None:
    """Say which records of FILE (.csv or .parquet) are the same person. Needs no database.

    Columns, any of them: record_id, first_name, middle_name, last_name or full_name (in any order), birth_date or age
    or age_band with event_date, gender, email, phone, address, city, region, country, postcode, nationality, club,
    member_id, bib, event, provider, is_duplicate. Names often used for them (surname, dob, zip …) are known.

    \b
    Example: echo 'record_id,name,birth_date' > entries.csv
             echo '1,Ada Farrow,1990-04-07' >> entries.csv
             echo '2,"FARROW, Ada",1990-04-07' >> entries.csv
             p88 link entries.csv -o persons.csv --evidence links.csv
    """
    from project88 import identity
    from project88.errors import ActionNeeded
    from project88.identity import files
    from project88.tell import Teller

    names = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs:
            raise ActionNeeded(f"--column {pair}: write it as OURS=THEIRS, such as city=Wohnort")
        names[ours.strip()] = theirs.strip()
    for path in filter(None, (output, evidence)):
        if not path.parent.is_dir():
            raise ActionNeeded(f"{path}: there is no folder {path.parent}")
    teller = Teller(quiet=quiet)
    with teller.step(f"read {file.name}") as done:
        records = files.read(file)
        done(f"{records.num_rows:,} records")
    with teller.step("link") as done:
        linked = identity.link(
            records,
            names=names,
            threshold=threshold,
            seed=seed,
            memory=memory,
            say=lambda text: teller.say(f"    {text}"),
        )
        people = len(linked.persons.column("person_id").unique())
        done(f"{people:,} persons, {linked.links.num_rows:,} links")
    files.write(linked.persons, output)
    if evidence:
        files.write(linked.links, evidence)
