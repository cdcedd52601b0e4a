# Greenlets: coroutines that run on their thread's stack, and are copied away from it and back when others run. Each
# sleeps within a comparison of a search, below C code. Tells what it did as a victim program does (victim.h).
import ctypes
import os
import sys

import greenlet

GREENLETS = 300
ROUNDS = 5
LEFT_ASLEEP = 50

libc = ctypes.CDLL(None)
libc.lfind.restype = ctypes.c_void_p
Comparison = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
main = greenlet.getcurrent()
failed = 0


def compare(left, right):
    main.switch()
    return left[0] - right[0]


comparison = Comparison(compare)


def nest(depth):
    """Stacks of different depths, so that they lie over each other in all ways."""
    return nest(depth - 1) if depth else search()


def search():
    number = ctypes.c_int(7)
    count = ctypes.c_size_t(1)
    return libc.lfind(ctypes.byref(number), ctypes.byref(number), ctypes.byref(count), 4, comparison) == ctypes.addressof(number)


def work(number):
    for i in range(ROUNDS):
        deeper = lambda _: nest((number + i) % 7)
        if not max([0], key=deeper) == 0 or not deeper(0):
            return False
    return True


greenlets = [greenlet.greenlet(work) for _ in range(GREENLETS)]
for number, each in enumerate(greenlets):
    each.switch(number)
results = []
while not all(each.dead for each in greenlets):
    for each in greenlets:
        if not each.dead:
            results.append(each.switch())
failed += results.count(True) != GREENLETS
asleep = [greenlet.greenlet(work) for _ in range(LEFT_ASLEEP)]
for number, each in enumerate(asleep):
    each.switch(number)

print(f"truth lfind success={GREENLETS * ROUNDS * 2} active={LEFT_ASLEEP}")
print(f"truth PyObject_Vectorcall success=* active={LEFT_ASLEEP * 4}")
print(f"truth _PyEval_EvalFrameDefault success=* active={LEFT_ASLEEP * 3 + 1}")
print("done", flush=True)
sys.stdin.read()
os._exit(failed)
