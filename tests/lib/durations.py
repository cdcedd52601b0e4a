#!/usr/bin/env python3
"""Holds histograms to durations that the program itself has measured: durations.py METRICS MANIFEST < LINES

LINES are those of tests/targets/durations.cpp: each call lasted from INNER to OUTER nanoseconds. Of each function, the bounds
are those of the manifest; up to each bound there are at least as many calls as certainly were that short, and at most as
many as may have been. Most have to be exact, or nothing is said: the last line tells how many were."""
import json
import sys

from samples import parse_scrape

METRICS = {"lasted": "callmeter_call_duration_seconds", "interval": "callmeter_loop_interval_seconds"}
# The clocks of both sides are not quite the same: the program's is adjusted, the other one measured.
SLACK = 0.0005
SLACK_NS = 40


def read_calls(lines):
    """{(metric, function): [(inner, outer), ...]} in seconds, wide enough for what the clocks differ by."""
    calls = {}
    for line in lines:
        words = line.split()
        if words and words[0] in METRICS:
            inner, outer = int(words[2]), int(words[3])
            assert inner <= outer, line
            low, high = (inner - SLACK_NS) * (1 - SLACK), (outer + SLACK_NS) * (1 + SLACK)
            calls.setdefault((METRICS[words[0]], words[1]), []).append((low * 1e-9, high * 1e-9))
    return calls


def total(samples, name, function, bound=None):
    """The sum over all series of the function: its calls may have labels."""
    found = [value for (metric, labels), value in samples.items() if metric == name
             and ("function", function) in labels and (bound is None or ("le", bound) in labels)]
    return sum(found) if found else None


def main(metrics, manifest):
    samples = parse_scrape(metrics)
    with open(manifest, encoding="utf-8") as file:
        functions = {entry["symbol"]: entry["buckets"] for entry in json.load(file)["functions"]}
    calls = read_calls(sys.stdin)
    wrong, checked, exact = [], 0, 0
    for (metric, function), durations in calls.items():
        bounds = {dict(labels)["le"] for name, labels in samples
                  if name == metric + "_bucket" and ("function", function) in labels}
        if sorted(map(float, bounds)) != functions[function] + [float("inf")]:
            wrong.append(f"{metric} of {function} has the bounds {sorted(map(float, bounds))}")
        for bound in sorted(bounds, key=float):
            certain = sum(outer <= float(bound) for _, outer in durations)
            possible = sum(inner <= float(bound) for inner, _ in durations)
            found = total(samples, metric + "_bucket", function, bound)
            checked, exact = checked + 1, exact + (certain == possible)
            if not certain <= found <= possible:
                wrong.append(f"{metric} of {function} up to {bound}: {found}, not {certain} to {possible}")
        inner, outer = (sum(times) for times in zip(*durations))
        found = total(samples, metric + "_sum", function)
        if not inner <= found <= outer:
            wrong.append(f"{metric}_sum of {function}: {found}, not {inner} to {outer}")
    print(*wrong, f"{len(calls)} histograms, {checked} bounds, {exact * 100 // max(checked, 1)} % exact", sep="\n")


main(*sys.argv[1:])
