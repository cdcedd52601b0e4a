#!/usr/bin/env python3
"""Compiles a victim whose functions' signatures compilers change, in many ways, and holds each value that callmeter
exports of its calls against what the program itself printed. Each value is asked for alone, in a run of its own, since
one that is not proven refuses its whole entry. Prints the share that was refused, per way; fails where one is wrong.

usage: signatures.py CALLMETER SHIM FOLDER SOURCE [WAY...]
A way is COMPILER:OPTIONS with commas, as clang:-O2,-flto. Without any: all."""

import collections
import json
import os
import re
import select
import subprocess
import sys
import threading
import urllib.request

COMPILERS = {".c": {"gcc": "gcc", "clang": "clang"}, ".cpp": {"gcc": "g++", "clang": "clang++"}, ".rs": {"rustc": "rustc"}}
TEXTS = ("cstring",)


def ways_of(source):
    if source.endswith(".rs"):
        return ["rustc:-Copt-level=%s%s%s" % (o, l, g) for o in "0123s" for l in ("", ",-Clto") for g in ("", ",-g")]
    return ["%s:-O%s%s%s" % (c, o, l, g) for c in ("gcc", "clang") for o in "023s" for l in ("", ",-flto") for g in ("", ",-g")]


def compile_way(source, folder, way):
    name, options = way.split(":", 1)
    extension = os.path.splitext(source)[1]
    program = os.path.join(folder, re.sub(r"[^\w]+", "-", os.path.basename(source) + "-" + way))
    command = [COMPILERS[extension][name]] + options.split(",")
    if extension == ".rs":
        command += ["-Cprefer-dynamic=no", source, "-o", program]
    else:
        command += ["-w", "-rdynamic", "-fvisibility=hidden", "-I", os.path.dirname(source), source, "-o", program]
        if name == "clang":
            command.append("-fuse-ld=lld" if "-flto" in options else "-rdynamic")
    subprocess.run(command, check=True, stderr=subprocess.PIPE)
    return program


def wanted_values(source):
    """NAME, PATTERN of the demangled name, [(LABEL, PLACE, TYPE)], of each function."""
    for line in open(source):
        match = re.search(r"(?:/\*|//) @ (\w+)((?: ~ .*?)?)((?: \S+=\S+)+)", line)
        if match:
            values = []
            for text in match[3].split():
                label, _, place = text.partition("=")
                place, _, kind = place.partition(":") if label != "ret" else ("ret", "", place)
                values.append((label, place, kind))
            yield match[1], match[2][3:], values


def symbol_of(program, name, pattern, cache):
    """The ELF name, without what the compiler put behind it."""
    if not pattern:
        return name
    if program not in cache:
        plain = subprocess.run(["nm", program], capture_output=True, text=True).stdout.split("\n")
        good = subprocess.run(["nm", "-C", program], capture_output=True, text=True).stdout.split("\n")
        cache[program] = [(g[19:], p[19:]) for g, p in zip(good, plain)]
    for good, plain in cache[program]:
        if re.search(pattern, good):
            return re.sub(r"\.(constprop|isra|lto_priv|part|cold|llvm|localalias).*", "", plain)
    return None


def entry_for(name, symbol, label, place, kind, values):
    entry = {"symbol": symbol, "name": name, "optional": True}
    if label == "ret":
        entry["returns"] = kind
        if kind in ("int", "long"):
            entry["error_when"] = "ret < 0"
        value = {"ret": True}
    elif place == "param":
        parameter, _, field = kind.partition("->")
        value = {"param": parameter}
        if field:
            value["field"] = field
    elif place == "byname":
        value = {"param": label}
    else:
        value = {"arg": int(place[3:]), "type": kind}
    entry["labels"] = {"x": value}
    return entry


def questions(source):
    """All values, in rounds that ask one of each function at most."""
    rounds = collections.defaultdict(list)
    for name, pattern, values in wanted_values(source):
        asked = []
        for label, place, kind in values:
            asked.append((label, place, kind))
            if place.startswith("arg") and not pattern.startswith("!"):
                asked.append((label, "byname", kind))
        for i, (label, place, kind) in enumerate(asked):
            rounds[i].append((name, pattern, label, place, kind))
    return rounds


def read_counts(exposition):
    """Calls by function and x, and errors by function."""
    calls = collections.Counter()
    errors = collections.Counter()
    for line in exposition.split("\n"):
        match = re.match(r'callmeter_calls_total\{(.*)\} (\S+)$', line)
        if not match:
            continue
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1]))
        count = int(float(match[2]))
        if "x" in labels and count:
            calls[labels["function"], labels["x"]] += count
        if labels["outcome"] == "error":
            errors[labels["function"]] += count
    return calls, errors


def truth_of(output, name, label, place, kind):
    values = collections.Counter()
    for line in output.split("\n"):
        words = line.split()
        if words[:2] != ["call", name]:
            continue
        pairs = dict(word.split("=", 1) for word in words[2:])
        if label in pairs:
            values[pairs[label]] += 1
    return values


class Way:
    def __init__(self, callmeter, shim, folder, source, way):
        self.callmeter, self.shim, self.folder, self.source, self.way = callmeter, shim, folder, source, way
        self.asked = self.refused = 0
        self.wrong = []
        self.names = {}

    def run(self):
        self.program = compile_way(self.source, self.folder, self.way)
        self.bare = subprocess.run([self.program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                   check=True).stdout
        for number, round_of in sorted(questions(self.source).items()):
            self.ask(number, round_of)
        return self

    def ask(self, number, questions_of):
        entries = []
        for name, pattern, label, place, kind in questions_of:
            symbol = symbol_of(self.program, name, pattern, self.names)
            if symbol:
                entries.append(entry_for(name, symbol, label, place, kind, None))
        base = "%s.%d" % (self.program, number)
        with open(base + ".json", "w") as file:
            json.dump({"version": 1, "functions": entries}, file)
        check = subprocess.run([self.callmeter, "check", "--json", "-m", base + ".json", self.program],
                               capture_output=True, text=True, timeout=60)
        told = collections.defaultdict(list)
        for function in json.loads(check.stdout)["functions"]:
            told[function["name"].split("@")[0]].append(function)
        output, exposition = self.meter(base)
        calls, errors = read_counts(exposition)
        for name, pattern, label, place, kind in questions_of:
            self.judge(name, label, place, kind, told[name], output, calls, errors)

    def meter(self, base):
        """What the program printed, and what it was scraped for at its end."""
        port_file = base + ".port"
        environment = dict(os.environ, LD_PRELOAD=self.shim, CALLMETER_MANIFEST=base + ".json",
                           CALLMETER_LISTEN="127.0.0.1:0", CALLMETER_PORT_FILE=port_file, CALLMETER_LOG="off")
        metered = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        killer = threading.Timer(60, metered.kill)
        killer.start()
        output = ""
        for line in metered.stdout:
            output += line
            if line == "done\n":
                break
        while not os.path.exists(port_file) and metered.poll() is None and killer.is_alive():
            select.select([], [], [], 0.01)
        exposition = urllib.request.urlopen("http://%s/metrics" % open(port_file).read().strip(), timeout=30).read().decode()
        os.unlink(port_file)
        metered.stdin.close()
        metered.wait()
        killer.cancel()
        if self.bare != output or metered.returncode != 0:
            self.wrong.append("the program ends otherwise under callmeter: status %d" % metered.returncode)
        return output, exposition

    def judge(self, name, label, place, kind, told, output, calls, errors):
        truth = truth_of(output, name, label, place, kind)
        full = [function for function in told if function["mode"] == "full"]
        got = collections.Counter({x: count for (function, x), count in calls.items() if function.split("@")[0] == name})
        self.asked += 1
        if not full:
            self.refused += 1
            if os.environ.get("VERBOSE"):
                print("refused %s %s %s.%s %s: %s" % (self.way, os.path.basename(self.source), name, label, place,
                                                      "; ".join(function["reason"] for function in told)))
            if got:
                self.wrong.append("%s: %s is refused by check, and the process has %s" % (name, label, dict(got)))
            return
        if not truth:
            return
        proofs = [value["proof"] for function in full for value in function["values"]]
        # Calls that were inlined, or taken by a clone, are not counted: what is counted has to be right.
        if any(got[x] > truth[x] for x in got):
            self.wrong.append("%s: %s by %s (%s): %s, expected %s" % (name, label, place, proofs, dict(got), dict(truth)))
        negative = sum(count for x, count in truth.items() if label == "ret" and x.startswith("-"))
        if label == "ret" and kind in ("int", "long") and sum(errors[f] for f in errors if f.split("@")[0] == name) > negative:
            self.wrong.append("%s: %s errors, expected %d" % (name, errors[name], negative))
        is_said = any("not counted" in function["reason"] for function in full)
        if sum(got.values()) == 0 and sum(truth.values()) > 0 and not is_said:
            self.wrong.append("%s: %s by %s: no call is counted" % (name, label, place))


def main():
    callmeter, shim, folder, source = sys.argv[1:5]
    ways = sys.argv[5:] or ways_of(source)
    asked = refused = 0
    wrong = []
    for way in ways:
        done = Way(callmeter, shim, folder, source, way).run()
        print("%-28s %3d values, %3d refused, %d wrong" % (way, done.asked, done.refused, len(done.wrong)), flush=True)
        asked += done.asked
        refused += done.refused
        wrong += ["%s: %s" % (way, text) for text in done.wrong]
    print("all: %d values, %.0f %% refused, %d wrong" % (asked, 100 * refused / asked, len(wrong)))
    for text in wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
