#!/usr/bin/env python3
"""Takes the JSON examples out of Markdown: examples.py FOLDER FILE...

Each ```json block becomes a manifest FOLDER/FILE.LINE.json. What is only a part of one is made whole: an entry of
`functions` or of `resources`, a list of them, where a value comes from, or some keys of a manifest or of a function, with
or without the braces around them. Prints the path of each. A block that can be none of these is an error, and so is JSON
in a block that does not say so, since nobody would check it.
"""
import json
import os
import sys

DOCUMENT_KEYS = {"version", "namespace", "labels", "listen", "executables", "follow_exec", "defaults", "overhead_budget",
                 "functions", "resources", "panics", "state", "web"}
VALUE_KEYS = {"arg", "farg", "ret", "param"}


def blocks(path):
    """Yields line, language and text of each fenced block."""
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    begin = None
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith("```"):
            continue
        if begin is None:
            begin = number
        else:
            language = lines[begin - 1].strip()[3:].strip()
            yield begin, language, "\n".join(lines[begin:number - 1])
            begin = None
    if begin is not None:
        raise ValueError(f"{path}:{begin}: a block that is not closed")


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return json.loads("{" + text.rstrip().rstrip(",") + "}")


def whole(value):
    """The manifest that an example is, or stands in."""
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        if all("in_use" in each for each in value):
            return {"version": 1, "functions": [], "resources": value}
        return {"version": 1, "functions": value}
    if not isinstance(value, dict):
        raise ValueError("no object")
    if "functions" in value:
        return {"version": 1, **value}
    if "symbol" in value or "build_id" in value:
        return {"version": 1, "functions": [value]}
    if "in_use" in value:
        return {"version": 1, "functions": [], "resources": [value]}
    if VALUE_KEYS & set(value):
        return {"version": 1, "functions": [{"symbol": "f", "labels": {"label": value}}]}
    if set(value) <= DOCUMENT_KEYS and value.keys() != {"labels"}:
        return {"version": 1, "functions": [], **value}
    return {"version": 1, "functions": [{"symbol": "f", **value}]}


def text_of(text):
    """A whole manifest is kept as it is written, so that nothing that is wrong with it is lost."""
    try:
        value = json.loads(text)
        if isinstance(value, dict) and "version" in value:
            return text
    except ValueError:
        pass
    return json.dumps(whole(parse(text)), indent=1)


def main(folder, *paths):
    failures = 0
    for path in paths:
        for line, language, text in blocks(path):
            try:
                if language == "json":
                    name = os.path.join(folder, f"{os.path.basename(path)}.{line}.json")
                    with open(name, "w", encoding="utf-8") as stream:
                        stream.write(text_of(text))
                    print(name)
                elif text.lstrip().startswith("{"):
                    raise ValueError("JSON in a block that is not marked as json")
            except ValueError as reason:
                print(f"{path}:{line}: {reason}", file=sys.stderr)
                failures += 1
    return failures != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
