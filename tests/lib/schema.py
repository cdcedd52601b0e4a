#!/usr/bin/env python3
"""Says which documents a JSON Schema accepts: schema.py SCHEMA DOCUMENT...

One line each: "accepted NAME", or "refused NAME: WHERE: WHY". A text that is no strict JSON is refused before the schema
sees it, as a program does that reads JSON and validates then.
"""
import json
import os
import sys

import jsonschema


def no_duplicates(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate key")
    return members


def no_constant(word):
    raise ValueError(f"{word} is no number of JSON")


def finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return number


def sixty_four_bits(text):
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{text} is out of range")
    return number


def read(path):
    with open(path, "rb") as stream:
        text = stream.read().decode("utf-8")
    return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant, parse_float=finite,
                      parse_int=sixty_four_bits)


def verdict(validator, path):
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(read(path)))
    except (ValueError, RecursionError) as reason:
        return f"refused {os.path.basename(path)}: no JSON: {reason}"
    if error:
        return f"refused {os.path.basename(path)}: {error.json_path}: {error.message}".replace("\n", " ")
    return f"accepted {os.path.basename(path)}"


def main(schema_path, *paths):
    schema = read(schema_path)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in paths:
        print(verdict(validator, path))


if __name__ == "__main__":
    main(*sys.argv[1:])
