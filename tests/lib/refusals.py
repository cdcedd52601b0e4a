"""Runs a command with each manifest of a folder that is to be refused:
refusals.py [--line] STATUS OUTPUT FOLDER COMMAND...

{} in the COMMAND stands for the manifest's path. The exit status and the standard output are to be STATUS and OUTPUT, and
the standard error is to hold what the manifest's author is to be told, which is in the file NAME.expected; with --line it
is one line of the log, with the manifest's name. Tells of the first manifest with which that is not so."""

import pathlib
import re
import subprocess
import sys


def differs(what, expected, actual):
    return f"{what}:\n  expected: {expected}\n  actual:   {actual}" if expected != actual else None


def line_failure(path, said):
    lines = sum(1 for line in said.splitlines() if line)
    if lines != 1:
        return differs(f"lines on stderr for {path}", 1, lines) + "\n" + said
    if not re.match(r"callmeter\[[0-9]+\]: error: ", said):
        return f"expected a match of: ^callmeter\\[[0-9]+\\]: error: \nin: {said}"
    return None if path.name + ":" in said else f"no file name in: {said}"


def failure(path, arguments, status, output, command):
    done = subprocess.run([word.replace("{}", str(path)) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, text=True, errors="surrogateescape")
    said = done.stderr.strip()
    expected = path.with_suffix(".expected").read_text(errors="surrogateescape").rstrip("\n")
    found = differs(f"exit status with {path}", int(status), done.returncode if done.returncode >= 0 else 128 - done.returncode)
    found = found or differs(f"output with {path}", output, done.stdout.rstrip("\n"))
    if not found and "--line" in arguments:
        found = line_failure(path, said)
    return found or (None if expected in said else f"{path}:\nexpected: {expected}\nactual:   {said}")


def main():
    arguments = sys.argv[1:2] if sys.argv[1] == "--line" else []
    status, output, folder, *command = sys.argv[1 + len(arguments):]
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    if not paths:
        sys.exit(f"no manifests in {folder}")
    for path in paths:
        found = failure(path, arguments, status, output, command)
        if found:
            sys.exit(found + "\nof: " + " ".join(command))


main()
