#!/usr/bin/env python3
"""Holds the lists of system calls in preload/machine/forbidden.c against the sources that they stand for.

usage: forbidden.py ROOT

A list's comment has "sources:", the files that make its system calls, and "but for:", those of their system calls that
need not be in it: by name, with a reason in brackets; or the name of another list's function, whose whole list is
asked first. A file of preload/'s data plane that makes system calls and is named nowhere is a fault, too. Each fault is
a line on standard output."""
import os
import re
import sys

FILE = 'preload/machine/forbidden.c'
ROOMS = ('preload/panic', 'preload/records', 'preload/signals', 'preload/threads', 'preload/calls')
CALL = re.compile(r'\bSYS_\w+')
LIST = re.compile(r'/\*((?:(?!\*/).)*?)\*/\nbool (forbidden_\w+)\([^)]*\)\n\{(.*?)\n\}', re.S)


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def without_comments(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', '', text, flags=re.S)


def sources_of(comment):
    part = re.search(r'sources:((?:\s|\*|[\w/.]+\.[chS]\b)+)', comment)
    return re.findall(r'[\w/]+\.[chS]\b', part.group(1)) if part else []


def main(root):
    text = read(root, FILE)
    lists = {name: (comment, set(CALL.findall(body))) for comment, name, body in LIST.findall(text) if 'sources:' in comment}
    named = set()
    for comment in re.findall(r'/\*.*?\*/', text, re.S):
        named.update(sources_of(comment))
    for name, (comment, listed) in lists.items():
        spared = comment.partition('but for:')[2]
        allowed = listed | set(CALL.findall(spared))
        for other in re.findall(r'forbidden_\w+', spared.split('(')[0]):
            allowed |= lists[other][1]
        for source in sources_of(comment):
            if not os.path.exists(os.path.join(root, source)):
                print(f'{name}: there is no {source}')
                continue
            for call in sorted(set(CALL.findall(without_comments(read(root, source)))) - allowed):
                print(f'{name}: {source} uses {call}')
    if len(lists) != 5:
        print(f'{FILE} has {len(lists)} lists: ' + ' '.join(lists))
    for room in ROOMS:
        for folder, _, files in os.walk(os.path.join(root, room)):
            for file in sorted(files):
                path = os.path.relpath(os.path.join(folder, file), root)
                if path.endswith(('.c', '.h', '.S')) and path not in named and \
                        CALL.search(without_comments(read(root, path))):
                    print(f'{path} makes system calls, and is a source of no list')


main(sys.argv[1])
