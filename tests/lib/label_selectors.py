#!/usr/bin/env python3
"""Whether a scrape has what PromQL expressions select: selectors.py METRICS < EXPRESSIONS, one a line.

Not a parser of PromQL: promtool is one. This looks for NAME{MATCHERS} and for labels that are grouped by, since a query
that selects nothing is as valid as any other."""
import re
import sys

SELECTOR = re.compile(r'(callmeter_[a-z_]+)(?:\{([^}]*)\})?')
MATCHER = re.compile(r'([a-z_]+)(=~|=)"([^"]*)"')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r'\bby \(([^)]*)\)')


def read_samples(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                name, _, rest = line.partition("{")
                yield (name if rest else name.split(" ")[0]), dict(LABEL.findall(rest))


def matches(matchers, labels):
    return all(re.fullmatch(value if operator == "=~" else re.escape(value), labels.get(label, ""))
               for label, operator, value in matchers)


def main():
    samples = list(read_samples(sys.argv[1]))
    for expression in sys.stdin.read().splitlines():
        grouped = {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",")}
        selectors = SELECTOR.findall(expression)
        if not selectors:
            sys.exit(f"selects nothing of callmeter: {expression}")
        for name, text in selectors:
            found = [labels for other, labels in samples if other == name and matches(MATCHER.findall(text), labels)]
            if not found:
                sys.exit(f"the scrape has no {name}{{{text}}}, which is asked for by: {expression}")
            missing = [label for label in grouped if not any(label in labels for labels in found)]
            if missing:
                sys.exit(f"{name}{{{text}}} has no label {missing[0]}, which is grouped by in: {expression}")


main()
