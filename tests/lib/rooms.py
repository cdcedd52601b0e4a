#!/usr/bin/env python3
"""Holds the rooms of the house (rooms.txt): who includes and calls whom.

usage: rooms.py CHECK ROOT BUILD
CHECK is one of
  includes   a line of #include that the rules do not allow
  calls      an object file that needs a symbol which only a room defines that its own may not know
  circles    modules (a .c and its .h) that include or call each other in a circle of more than three
  excused    a pair of files that is let pass, but does not need to be
  exports    a function with default visibility outside of preload/interpose/
  private    a header that says "Private to" or "Part of", and is included from another folder
  sizes      a function of over 57 lines or a file of over 500; all functions, if their median is over 10 lines, or a
             tenth of them over 21
  purposes   a room whose meson.build does not begin with what it is for
  folders    a folder of code that has no rule, or a rule without a folder
Each fault is a line on standard output; the exit status is 0 whatever is found.
"""
import json
import os
import re
import subprocess
import sys
from collections import defaultdict

PARTS = ('preload', 'symbols', 'server')
INCLUDE = re.compile(r'^\s*#\s*include\s+"((?:preload|symbols|server)/[^"]+)"', re.M)


def source_files(root):
    names = []
    for part in PARTS:
        for folder, _, files in os.walk(os.path.join(root, part)):
            names += [os.path.relpath(os.path.join(folder, name), root) for name in files if name.endswith(('.c', '.h', '.S'))]
    return sorted(names)


def room_of(path):
    folder = os.path.dirname(path)
    return os.path.dirname(folder) if os.path.basename(folder) == 'x86_64' else folder


def module_of(path):
    """A .c or .S and its header are one module, whichever of them lies in x86_64/."""
    return os.path.join(room_of(path), os.path.splitext(os.path.basename(path))[0])


def text_of(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def includes_of(root, path):
    return INCLUDE.findall(text_of(root, path))


class Rules:
    """rooms.txt: `rooms` has what each room may know, `faces` what other parts may include, `excused` the pairs of files
    that are let pass."""

    def __init__(self, root):
        self.rooms, self.faces, self.excused = {}, set(), set()
        section = ''
        for line in text_of(root, 'tests/lib/rooms.txt').splitlines():
            line = line.split('#')[0].strip()
            if line.startswith('['):
                section = line.strip('[]')
            elif line and section == 'faces':
                self.faces.add(line)
            elif line and section == 'up':
                self.excused.add(tuple(line.split()))
            elif line:
                name, others = line.split(':')
                self.rooms[self.path(section, name)] = {self.path(section, other) for other in others.split()}

    @staticmethod
    def path(part, name):
        """`.` is the part's own folder; a name with a slash is whole, but for that of a folder in it."""
        return part if name == '.' else name if name.startswith(PARTS) else f'{part}/{name}'

    def lets(self, path, room, other_path, other_room):
        if room == other_room or other_room in self.rooms.get(room, ()) or (path, other_path) in self.excused:
            return True
        return room.startswith('preload') and other_path in self.faces


def objects_of(build):
    """[(source, object file)] of the parts that are shipped, sources as paths from the project's root."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        commands = json.load(file)
    pairs = []
    for command in commands:
        source = re.search(r'(?:^|/)((?:preload|symbols|server)/.*)$', command['file'])
        output = os.path.join(command['directory'], command['output'])
        if source and not command['output'].startswith('tests/') and os.path.exists(output):
            pairs.append((source.group(1), output))
    if not pairs:
        sys.exit(f'no object files in {build}')
    return pairs


def symbols_of(objects):
    """[(source, defined names, undefined names)]"""
    sources = {path: source for source, path in objects}
    defined, undefined = defaultdict(set), defaultdict(set)
    lines = subprocess.run(['nm', '-A', '--format=posix', *sources], capture_output=True, text=True, check=True).stdout
    for line in lines.splitlines():
        path, rest = line.split(': ', 1)
        name, kind = rest.split()[:2]
        if kind in 'Uvw':
            undefined[path].add(name)
        elif kind.isupper():
            defined[path].add(name)
    return [(source, defined[path], undefined[path]) for path, source in sources.items()]


def exported_by_shim(build):
    """libc's names, which an object that needs one means to be libc's."""
    shim = subprocess.run(['find', build, '-name', 'libcallmeter.so', '-type', 'f'], capture_output=True, text=True, check=True)
    lines = subprocess.run(['nm', '-D', '--defined-only', '--format=posix', shim.stdout.split()[0]], capture_output=True,
                           text=True, check=True).stdout
    return {line.split()[0].split('@')[0] for line in lines.splitlines()}


def calls_of(build):
    """[(source, symbol, source that defines it)]; not of names that several define, which the linker tells apart."""
    symbols = symbols_of(objects_of(build))
    exported = exported_by_shim(build)
    home = defaultdict(set)
    for source, defined, _ in symbols:
        for name in defined - exported:
            home[name].add(source)
    return sorted({(source, name, next(iter(home[name]))) for source, _, undefined in symbols for name in undefined
                   if len(home.get(name, ())) == 1})


def check_includes(root, build):
    rules = Rules(root)
    for path in source_files(root):
        for other in includes_of(root, path):
            if not rules.lets(path, room_of(path), other, room_of(other)):
                yield f'{path} includes {other}'


def check_calls(root, build):
    rules = Rules(root)
    for path, name, other in calls_of(build):
        room, other_room = room_of(path), room_of(other)
        if room.split('/')[0] == other_room.split('/')[0] and not rules.lets(path, room, other, other_room):
            yield f'{path} needs {name} of {other}'


def check_circles(root, build):
    graph = defaultdict(set)
    for path in source_files(root):
        for other in includes_of(root, path):
            graph[module_of(path)].add(module_of(other))
    excused = Rules(root).excused
    for path, _, other in calls_of(build):
        if (path, other) not in excused:
            graph[module_of(path)].add(module_of(other))
    for circle in strong_components(graph):
        if len(circle) > 3:
            yield f'{len(circle)}: ' + ' '.join(sorted(circle))


def strong_components(graph):
    """Tarjan's, without recursion."""
    index, low, on_stack, stack, result, counter = {}, {}, set(), [], [], 0
    for start in list(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = counter
        counter += 1
        stack.append(start)
        on_stack.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = counter
                    counter += 1
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    result.append(component)
    return result


def check_excused(root, build):
    pairs = {(path, other) for path in source_files(root) for other in includes_of(root, path)}
    pairs |= {(path, other) for path, _, other in calls_of(build)}
    for path, other in sorted(Rules(root).excused - pairs):
        yield f'{path} does not need {other}'


def check_exports(root, build):
    exported = exported_by_shim(build)
    for source, defined, _ in symbols_of(objects_of(build)):
        if not source.startswith('preload/') or source.startswith(('preload/control/', 'preload/cli/', 'preload/interpose/')):
            continue
        for name in sorted(defined & exported):
            yield f'{source} defines {name}, which is exported'


def check_private(root, build):
    private = {path for path in source_files(root) if path.endswith('.h') and
               re.search(r'\b(Private to|Part of)\b', '\n'.join(text_of(root, path).splitlines()[:3]))}
    for path in source_files(root):
        for other in includes_of(root, path):
            if other in private and room_of(path) != room_of(other):
                yield f'{path} includes {other}, which is private'


FUNCTION_LINES, MEDIAN_LINES, TENTH_LINES, FILE_LINES = 57, 10, 21, 500


def functions_of(lines):
    """(name line, number of lines) of each function: clang-format puts the braces of functions, and no others, in
    column 0."""
    start = None
    for number, line in enumerate(lines):
        if line == '{':
            start = number
            while start > 0 and lines[start - 1].strip() and not lines[start - 1].startswith('#') \
                    and not lines[start - 1].endswith((';', '}', '*/', '{')):
                start -= 1
        elif line == '}' and start is not None:
            yield lines[start], number - start + 1
            start = None


def check_sizes(root, build):
    counts = []
    for path in source_files(root):
        lines = text_of(root, path).splitlines()
        if len(lines) > FILE_LINES:
            yield f'{path} has {len(lines)} lines'
        for name, count in functions_of(lines) if path.endswith(('.c', '.h')) else ():
            counts.append(count)
            if count > FUNCTION_LINES:
                yield f'{path} has a function of {count} lines: {name}'
    counts.sort()
    if len(counts) < 1000:
        yield f'only {len(counts)} functions were found'
    for share, limit in ((0.5, MEDIAN_LINES), (0.9, TENTH_LINES)):
        if counts[int(len(counts) * share)] > limit:
            yield f'a share of {1 - share:.1f} of the functions has over {limit} lines'


def check_purposes(root, build):
    for room in Rules(root).rooms:
        path = os.path.join(room, 'meson.build')
        if not os.path.exists(os.path.join(root, path)):
            yield f'{path} is not there'
        elif not text_of(root, path).startswith('# '):
            yield f'{path} does not begin with what the room is for'


def check_folders(root, build):
    rules = Rules(root)
    rooms = {room_of(path) for path in source_files(root)}
    for room in sorted(rooms - set(rules.rooms)):
        yield f'{room} has no rule'
    for room in sorted(set(rules.rooms) - rooms):
        yield f'{room} has a rule, but no files'
    for room, others in rules.rooms.items():
        for other in sorted(others - set(rules.rooms)):
            yield f'{room} may know {other}, which is no room'


if __name__ == '__main__':
    check, root_folder, build_folder = sys.argv[1:]
    for fault in globals()['check_' + check](root_folder, build_folder):
        print(fault)
