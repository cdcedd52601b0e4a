#!/usr/bin/env python3
"""Holds a scrape (text format 0.0.4) to what a victim said of it: samples.py METRICS < LINES

The lines are those of tests/targets/samples.h; others are ignored. The scrape as a whole is checked too: its syntax, that
no series comes twice, that families are in one piece, that histograms are cumulative and agree with their count."""
import re
import sys

NAMESPACE = "callmeter_"
SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?$', re.S)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)', re.S)
ESCAPES = {r'\"': '"', r'\\': '\\', r'\n': '\n'}
# Whose values come from files and not from calls.
UNBOUNDED = {"function", "module", "symbol", "reason"}


def fail(*lines):
    print(*lines, sep="\n", file=sys.stderr)
    sys.exit(1)


def parse_series(text):
    """Name and dictionary of labels of NAME{LABELS}."""
    match = SERIES.match(text)
    if not match:
        fail(f"not a series: {text!r}")
    labels, rest = {}, match[2] or ""
    while rest:
        label = LABEL.match(rest)
        if not label or label[1] in labels:
            fail(f"bad or repeated label in: {text!r}")
        labels[label[1]] = re.sub(r'\\.', lambda escape: ESCAPES[escape[0]], label[2])
        rest = rest[label.end():]
    return match[1], labels


def parse_scrape(path):
    with open(path, "rb") as file:
        text = file.read().decode("utf-8")
    samples, families, current = {}, set(), None
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            if current in families:
                fail(f"two families are called {current}")
            families.add(current)
        if line.startswith("#"):
            continue
        series, _, value = line.rpartition(" ")
        name, labels = parse_series(series)
        if not current or not re.fullmatch(re.escape(current) + "(_bucket|_sum|_count)?", name):
            fail(f"{name} stands in the family {current}")
        for label, content in labels.items():
            if label not in UNBOUNDED and len(content.encode()) > 64:
                fail(f"a value of {label} is longer than 64 bytes: {content!r}")
        # A label that is empty and one that is absent are the same series to Prometheus.
        key = name, frozenset((label, content) for label, content in labels.items() if content)
        if key in samples:
            fail(f"the series comes twice: {series}")
        samples[key] = float(value)
    return samples


def check_histograms(samples):
    buckets = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            bound = float(dict(labels)["le"])
            rest = frozenset(label for label in labels if label[0] != "le")
            buckets.setdefault((name[:-len("_bucket")], rest), {})[bound] = value
    for (name, labels), counts in buckets.items():
        ascending = [counts[bound] for bound in sorted(counts)]
        if ascending != sorted(ascending):
            fail(f"the buckets of {name}{dict(labels)} are not cumulative: {ascending}")
        if counts.get(float("inf")) != samples.get((name + "_count", labels)):
            fail(f"the last bucket of {name}{dict(labels)} is not its count")


def index_by_label(samples):
    """Keys of samples by name, and by name and label."""
    index = {}
    for key in samples:
        index.setdefault((key[0], None), []).append(key)
        for item in key[1]:
            index.setdefault((key[0], item), []).append(key)
    return index


def find(samples, index, wanted):
    """Samples that have the labels of the series wanted."""
    name, labels = parse_series(wanted)
    present = {item for item in labels.items() if item[1]}
    absent = {label for label, content in labels.items() if not content}
    candidates = min((index.get((NAMESPACE + name, item), []) for item in present | {None}), key=len)
    return {key: samples[key] for key in candidates
            if present <= key[1] and not absent & {item[0] for item in key[1]}}


def show(samples, wanted):
    name, labels = parse_series(wanted)
    near = [f"  {key[0]}{dict(sorted(key[1]))} {value:.17g}" for key, value in samples.items()
            if key[0] == NAMESPACE + name and ("function" not in labels or labels["function"] == dict(key[1]).get("function"))]
    return "\n".join(["the scrape has:"] + near[:60])


def judge(verb, found, numbers):
    """What is wrong, or None."""
    values = list(found.values())
    if verb == "series":
        return None if len(values) == numbers[0] else f"found {len(values)} series"
    if verb == "total":
        return None if sum(values) == numbers[0] else f"the total is {sum(values):.17g}"
    if len(values) != 1:
        return f"found {len(values)} series"
    if numbers[0] <= values[0] <= numbers[-1]:
        return None
    return f"found {values[0]:.17g}"


def main():
    samples = parse_scrape(sys.argv[1])
    check_histograms(samples)
    index = index_by_label(samples)
    checked = 0
    sys.stdin.reconfigure(errors="surrogateescape")
    for line in sys.stdin.read().split("\n"):
        match = re.fullmatch(r'(sample|total|series) (.*) (\S+)|(between) (.*) (\S+) (\S+)', line)
        if not match:
            continue
        verb, wanted, *numbers = [group for group in match.groups() if group is not None]
        wrong = judge(verb, find(samples, index, wanted), [float(number) for number in numbers])
        if wrong:
            fail(f"expected: {line}", f"but {wrong}", show(samples, wanted))
        checked += 1
    if not checked:
        fail("nothing was said of the scrape")


if __name__ == "__main__":
    main()
