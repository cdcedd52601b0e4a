#!/usr/bin/env python3
"""Lines that no test runs, and the reasons why (unrun.txt).

usage: unrun.py check ROOT           what is wrong with unrun.txt, a line for each fault
       unrun.py runs ROOT COVERAGE   the runs of lines that no test ran, by the JSON of gcovr: `FILE:FIRST[-LAST] FUNCTION`,
                                     and behind it `: REASON` if there is one

unrun.txt has a line for each function of which some lines cannot be run: FILE FUNCTION REASON, sorted. The exit status
of `check` is 0 whatever is found.
"""
import json
import os
import re
import sys

LIST = 'tests/lib/unrun.txt'
NAME = re.compile(r'([A-Za-z_]\w*)\(')
NAMED = re.compile(r'INTERPOSE\([^,]*,\s*(\w+)\)')
ATTRIBUTE = re.compile(r'__attribute__\(\(.*?\)\)(?!\))')


def functions_of(path):
    """(name, first line, last line) of each function, by the layout that clang-format gives."""
    head, name, first = '', '', 0
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if line.startswith('{'):
                found = NAMED.search(head) or NAME.search(ATTRIBUTE.sub('', head))
                name, first = (found.group(1) if found else '?'), number
            elif line.startswith('}'):
                if name:
                    yield name, first, number
                head, name = '', ''
            elif line.startswith((' ', '\t', '#', '/')) and not head.strip():
                continue
            elif not name:
                head = '' if line.rstrip().endswith((';', '*/')) else head + line


def entries(root):
    with open(os.path.join(root, LIST), encoding='utf-8') as file:
        return [line.rstrip('\n').split(' ', 2) for line in file]


def check(root):
    found = entries(root)
    if found != sorted(found):
        yield f'{LIST} is not sorted'
    seen = set()
    for entry in found:
        if len(entry) != 3 or not entry[2].strip():
            yield f'{" ".join(entry)}: expected FILE FUNCTION REASON'
            continue
        name, function, _ = entry
        path = os.path.join(root, name)
        if (name, function) in seen:
            yield f'{name} {function} is there twice'
        seen.add((name, function))
        if not os.path.isfile(path):
            yield f'{name} is not there'
        elif function not in {each[0] for each in functions_of(path)}:
            yield f'{name} has no function {function}'


def runs(root, coverage):
    reasons = {(entry[0], entry[1]): entry[2] for entry in entries(root) if len(entry) == 3}
    with open(coverage, encoding='utf-8') as file:
        report = json.load(file)
    for entry in report['files']:
        path = entry['file']
        functions = list(functions_of(os.path.join(root, path)))
        lines = sorted({line['line_number'] for line in entry['lines'] if line['count'] == 0 and not line.get('gcovr/noncode')})
        last = None
        for index, line in enumerate(lines):
            if last is None:
                first = line
            last = line
            if index + 1 < len(lines) and lines[index + 1] == line + 1:
                continue
            function = next((name for name, start, end in functions if start - 3 <= first <= end), '?')
            reason = reasons.get((path, function))
            yield f'{path}:{first}' + (f'-{last}' if last != first else '') + f' {function}' + (f': {reason}' if reason else '')
            last = None


if __name__ == '__main__':
    for text in {'check': check, 'runs': runs}[sys.argv[1]](*sys.argv[2:]):
        print(text)
