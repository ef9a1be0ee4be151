"""What is known about names before any data are seen: short forms, particles, titles, people who are nobody."""

from __future__ import annotations

import csv
import html
import re
from functools import cache
from importlib.resources import files

# Short forms that the English list does not have. The first of a line is the full form.
SHORT_FORMS = """
    giuseppe beppe peppe pino; francesco franco cecco; giovanni gianni nino; luigi gigi; antonio toni tony nino toño
    alessandro sandro ale; alessandra sandra ale; elisabetta betta elisa; margherita rita; vincenzo enzo; lorenzo renzo
    jose pepe chepe; josefa pepa; francisco paco pancho curro fran; guadalupe lupe; ignacio nacho; jesus chuy; manuel manolo
    mercedes merche; dolores lola; concepcion concha; rosario charo; alejandro ale alex; enrique quique; eduardo lalo edu
    guillermo memo; roberto beto; alberto beto; rafael rafa; santiago santi; maria majo mari maite; miguel migue; sebastian seba
    joao joaozinho; jose ze zeca; luis lucho; antonio toninho; johannes hannes hans johann jan; johann hans; heinrich heinz
    friedrich fritz friedl; wilhelm willi willy; joseph sepp josef; josef sepp; katharina kathi kati katja; margarethe grete gretel greta
    elisabeth lisa liesl elsbeth sissi else; magdalena lena leni; ulrich uli; ulrike uli; wolfgang wolf; sebastian basti; matthias
    matze; andreas andi; michael michi; stefan steffen; christian chris; christina christl; susanne susi; gabriele gabi; barbara babsi
    aleksandr sasha alexander; alexander sasha; alexandra sasha; dmitry dima dmitri; ivan vanya; mikhail misha; nikolai kolya; sergei seryozha
    vladimir vova volodya; yevgeny zhenya evgeny; ekaterina katya; elena lena; natalia natasha; tatiana tanya; anastasia nastya
    yelena lena elena; aleksandra ola; katarzyna kasia; malgorzata gosia; agnieszka aga; joanna asia; tomasz tomek; krzysztof krzys
    jakub kuba; wojciech wojtek; stanislaw staszek; pawel pawelek; jean jeannot; francois fanfan; benoit ben; frederic fred
    stephane steph; stephanie steph; veronique vero; dominique dom; veronika vero; genevieve ginette; mohammed mo mohamed muhammad mohammad
    mohamed mo; muhammad mo; mohammad mo; abdullah abdul; oluwaseun seun; adaeze ada; chukwuemeka emeka; rajesh raj; rajendra raj
    philippa pippa; philip pip; sean shawn shaun; siobhan shiv; margaret peg peggy mairead; eilidh ailie; seamus james; liam william
    katherine kate cat; catherine kate cat; alexander alec alistair; theodora thea dora; josephine jo josie; rosalind roz ros
    samantha sam; samuel sam; gwendolyn gwen; jacqueline jackie jacqui; nguyet nguyen
"""
# Before a surname, and not telling one family from another.
PARTICLES = frozenset(
    [
        "van",
        "von",
        "der",
        "den",
        "de",
        "del",
        "della",
        "di",
        "da",
        "do",
        "dos",
        "das",
        "du",
        "la",
        "le",
        "les",
        "el",
        "al",
        "bin",
        "ibn",
        "ben",
        "ter",
        "ten",
        "te",
        "zu",
        "zur",
        "zum",
        "vom",
        "af",
        "av",
        "y",
        "e",
        "i",
        "of",
        "mac",
        "mc",
        "st",
    ]
)
TITLES = "mr|mrs|ms|miss|mx|dr|prof|sir|dame|rev|herr|frau|mme|mlle|sra|srta"
SUFFIXES = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv"}
DEGREES = "md|phd|esq|dds|rn|cpa|dvm"

# Entries that stand for nobody: they are never linked. Whole names, first words, last words, words anywhere.
NOBODY_WHOLE = (
    "n n|nn|na|n a|none|null|nil|nan|tba|tbd|tbc|x|xx|xxx|x x|xx xx|a|aa|aaa|aa aa|a a|asdf|asdf asdf|no one|nobody|somebody|unk|"
    "first last|first name last name|firstname lastname|name name|name surname|john doe|jane doe|max mustermann|"
    "erika mustermann|race day|day of|day of race|walk up|late entry|open slot|open|vacant|reserved|runner|walker|athlete|"
    "participant|entrant|entry|guest|volunteer|staff|vip|comp|test|tester|dummy|sample|example|tbd tbd|tba tba"
)
NOBODY_FIRST = (
    "anonymous|anon|unknown|unnamed|unregistered|unassigned|noname|no name|not known|inconnu|unbekannt|desconocido|test|testing|"
    "dummy|placeholder|blank|tba|tbd|tbc|bib|chip|spare|reserved|relay|team|staffel|equipe|equipo|squad"
)
NOBODY_LAST = "anonymous|unknown|unnamed|unregistered|noname|placeholder|tba|tbd|tbc|test|tester|testing|runner|participant|entrant|relay|unbekannt|inconnu"
NOBODY_ANYWHERE = "anonymous|relay team|team relay|staffel|placeholder|do not use|test entry|test runner|delete me"

NOBODY_EMAIL = (
    "none|no|noemail|no email|na|test|unknown|null|nobody|anonymous|noreply|no reply|donotreply|email|x|xx|xxx|abc|a|me"
)

MOST_ROOTS = 3

_CASE_EDGE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MARKS_OF_MOJIBAKE = re.compile(
    "[\u0080-\u009f\u00c2-\u00c5\u00d0\u00d1\u00d7-\u00d9\u00e2\u20ac\u00ce\u00cf\u00a4\u00b6\u00bc\u0178]"
)


@cache
def related() -> dict[str, frozenset[str]]:
    """Return, for every first name with a short form or of one, the full forms it may stand for (itself too where it is one)."""
    full: dict[str, set[str]] = {}
    with files("nicknames").joinpath("names.csv").open(encoding="utf-8") as lines:
        listed = [(row["name1"], row["name2"]) for row in csv.DictReader(lines)]
    for name, short in listed:
        full.setdefault(short, set()).add(name)
        full.setdefault(name, set()).add(name)
    for line in SHORT_FORMS.replace("\n", ";").split(";"):
        name, *shorts = line.split() or [""]
        for short in shorts:
            full.setdefault(short, set()).add(name)
            full.setdefault(name, set()).add(name)
    return {name: frozenset(of) for name, of in full.items()}


@cache
def roots() -> dict[str, tuple[str, ...]]:
    """Return, for every name in `related`, itself and the few full forms it most likely stands for.

    Records meet under these while candidates are looked for: Bill and William under William.
    """
    groups = related()
    shorts: dict[str, int] = {}
    for of in groups.values():
        for name in of:
            shorts[name] = shorts.get(name, 0) + 1
    return {
        name: tuple(dict.fromkeys((name, *sorted(of, key=lambda one: (-shorts[one], one))[:MOST_ROOTS])))
        for name, of in groups.items()
    }


def repaired(text: str) -> str:
    """Return a text in ASCII letters: mojibake undone ("JosÃ©"), entities resolved, other scripts transliterated."""
    from anyascii import anyascii

    if "&" in text:
        text = html.unescape(text)
    if _MARKS_OF_MOJIBAKE.search(text):
        from ftfy import fix_encoding

        text = fix_encoding(text)
    if _IDEOGRAPHS.search(text):
        # 王小明 comes out as WangXiaoMing: a surname of one syllable, then the given name.
        syllables = _CASE_EDGE.split(anyascii(text))
        return (
            f"{syllables[0]} {''.join(syllables[1:])}".strip()
            if len(syllables) > 1 and " " not in text
            else anyascii(text)
        )
    return anyascii(text)
