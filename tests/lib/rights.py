#!/usr/bin/env python3
"""Whether a process has the memory rights that another one has: rights.py BARE_PID PID.

Each file that the bare process maps has to be mapped alike: the same rights at the same offsets. Memory of nobody's file
may not be writable and executable, unless it is so there too. Each difference is a line; a last one says how many bytes
of text were compared."""
import sys


def mappings(pid):
    """{file: [[rights, offset, end offset], ...]}, neighbours with equal rights being one: the kernel keeps apart what
    differs in how it is accounted for."""
    files = {}
    with open(f'/proc/{pid}/maps', encoding='utf-8') as lines:
        for line in lines:
            fields = line.split(maxsplit=5)
            low, high = (int(part, 16) for part in fields[0].split('-'))
            rights, offset = fields[1], int(fields[2], 16)
            name = fields[5].strip() if len(fields) > 5 else ''
            if not name.startswith('/'):
                name, offset = 'anonymous', 0
            parts = files.setdefault(name, [])
            if parts and parts[-1][0] == rights and parts[-1][2] == offset:
                parts[-1][2] += high - low
            else:
                parts.append([rights, offset, offset + high - low])
    return files


def main(bare_pid, pid):
    bare, other = mappings(bare_pid), mappings(pid)
    text = 0
    for name, parts in bare.items():
        if name in ('anonymous', '/dev/zero'):
            continue
        text += sum(end - begin for rights, begin, end in parts if 'x' in rights)
        for part in parts:
            if part not in other.get(name, []):
                print(f'bare only: {part[0]} {part[1]:x}-{part[2]:x} {name}')
        for part in other.get(name, []):
            if part not in parts:
                print(f'metered only: {part[0]} {part[1]:x}-{part[2]:x} {name}')
    for name, parts in other.items():
        for rights, begin, end in parts:
            if 'w' in rights and 'x' in rights and not any(part[0] == rights for part in bare.get(name, [])):
                print(f'writable and executable: {begin:x}-{end:x} {name}')
    print(f'{text} bytes of text')


main(*sys.argv[1:])
