"""table.py - the table of a study's page, from `dtrak lds DB --report --csv`.

    table.py NAME.csv PAGE.md NAME

Writes it into the page between the lines `<!-- NAME: table -->` and `<!-- NAME: end -->`: the last
checkpoint at 100 timesteps with 4,096 dimensions, lambda by the effective dimension; methods that are over
several checkpoints at 10 timesteps.  Best on held-out images first.  Needs only the standard library.
"""
import csv
import sys

COLUMNS = (("val", "lds", "se"), ("val", "minus", "minus_se"), ("gen", "lds", "se"), ("gen", "minus", "minus_se"),
           ("gen", "centred", "centred_se"), ("gen", "minus_centred", "minus_centred_se"))
HEAD = ("method", "val", "- TRAK", "gen", "- TRAK", "gen centred", "- TRAK")


def counts(r):
    if r["lambda"] not in ("", "auto"):
        return False
    if int(r["checkpoints"]) > 1:
        return r["method"] in ("tracin", "gas")
    return r["k"] == "0" or (r["k"], r["timesteps"]) == ("4096", "100")


def cell(row, value, error):
    if not row or not row[value]:
        return ""
    sign = "+" if value.startswith("minus") else ""
    return f"{float(row[value]):{sign}.1f} ± {float(row[error] or 'nan'):.1f}"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    table, page, name = sys.argv[1:]
    found = {}
    for r in csv.DictReader(open(table)):
        if counts(r):
            found.setdefault(r["name"], {})[r["split"]] = r
    best = sorted(found, key=lambda n: -float(found[n].get("val", {"lds": "-100"})["lds"]))
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for n in best:
        lines.append("| " + " | ".join([n] + [cell(found[n].get(s), v, e) for s, v, e in COLUMNS]) + " |")
    text, begin, end = open(page).read(), f"<!-- {name}: table -->\n", f"<!-- {name}: end -->"
    before, rest = text.split(begin)
    open(page, "w").write(before + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1])


main()
