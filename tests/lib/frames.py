"""In gdb: runs the program until it dies, then prints its frames up to main, innermost first: module and offset."""
import os

import gdb


def objects():
    """Of each mapped file: its base name, start and end, and the address that its offsets count from."""
    found = {}
    with open(f"/proc/{gdb.selected_inferior().pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            words = line.split()
            if len(words) < 6 or not words[5].startswith(("/", "[vdso]")):
                continue
            low, high = (int(word, 16) for word in words[0].split("-"))
            first, last = found.get(words[5], (low, high))
            found[words[5]] = (min(first, low), max(last, high))
    return found


def bias(path, start):
    """Where an object's address 0 is: programs of fixed address (ET_EXEC, 2) are where they say."""
    if not os.path.exists(path):
        return start
    with open(path, "rb") as file:
        return 0 if file.read(18)[16] == 2 else start


def place(address):
    for path, (start, end) in objects().items():
        if start <= address < end:
            return f"{os.path.basename(path)} {address - bias(path, start):#x}"
    return f" {address:#x}"


def main():
    gdb.execute("set confirm off")
    gdb.execute("set debuginfod enabled off")
    for name in ("SIGUSR1",):
        gdb.execute(f"handle {name} nostop noprint pass")
    gdb.execute("run", to_string=True)
    frame = gdb.newest_frame()
    while frame:
        # The others are not on the stack: gdb infers them from the debug information.
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            print("frame", place(frame.pc()))
        frame = frame.older()
    gdb.execute("kill", to_string=True)


main()
