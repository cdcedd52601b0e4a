"""Ways to die, bare and under the shim: the same end, and as many panics counted as there are.

Usage: crashes.py matrix PROGRAM SHIM MANIFEST THREADS HANDLERS [early]
       crashes.py cores PROGRAM SHIM MANIFEST THREAD FOLDER
       crashes.py handlers PROGRAM SHIM MANIFEST THREADS
       crashes.py handler-cores PROGRAM SHIM MANIFEST FOLDER

Lists are separated by commas. Each difference is a line; the exit status says whether there was one. A panic is counted
where the shim says so on standard error: one line each."""

import sys

sys.path.pop(0)  # this folder has a selectors.py, which is not the one that subprocess needs

import concurrent.futures
import os
import re
import resource
import signal
import subprocess

WAYS = ("null wild strange call-null constant cut-file division ud2 abort assert fortify smash overflow double-free "
        "raise raise-abort kill-self tgkill outside").split()
SECONDS = 30
STACK_BYTES = 1 << 20

# What the program dies of without a handler of its own.
SIGNALS = dict.fromkeys(WAYS, signal.SIGSEGV) | dict.fromkeys(
    "abort assert fortify smash double-free raise-abort".split(), signal.SIGABRT) | {
    "cut-file": signal.SIGBUS, "kill-self": signal.SIGBUS, "division": signal.SIGFPE, "ud2": signal.SIGILL,
    "tgkill": signal.SIGILL}
ABORTS = {"abort", "assert", "fortify", "smash", "double-free"}
RAISES = {"raise", "raise-abort", "kill-self", "tgkill"}
LINE = re.compile(r"^callmeter\[\d+\]: error: SIG(\w+) .*\bin (no tracked function|\w+)")


def limit(core_bytes):
    def apply():
        resource.setrlimit(resource.RLIMIT_CORE, (core_bytes, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, resource.RLIM_INFINITY))
    return apply


def run(arguments, shim=None, manifest=None, core_bytes=0, folder=None):
    environment = dict(os.environ)
    if shim:
        environment |= {"LD_PRELOAD": shim, "CALLMETER_MANIFEST": manifest, "CALLMETER_LISTEN": "none"}
    return subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS, preexec_fn=limit(core_bytes), cwd=folder, text=True)


def panics_of(way, thread, handler, early, ended):
    """How many, by how the program ended bare."""
    if "survived" in ended.stdout or "went on" in ended.stdout:
        return 0
    if handler == "ignore" and early:
        return 0  # signals that are ignored at the start are left alone
    if way == "outside":
        return handler in ("abort", "crash")
    if way == "overflow" and handler.startswith("signal-"):
        return 0  # not on the alternate stack, and on the thread's own there is no room for the handler
    return 1


def compare(arguments, shim, manifest, expected_of, function, signal_alone=None):
    """`expected_of` says how many panics there are, by how the bare program ended; `signal_alone` what it dies of."""
    bare = run(arguments)
    metered = run(arguments, shim, manifest)
    own = [line for line in metered.stderr.splitlines(True) if line.startswith("callmeter[")]
    rest = "".join(line for line in metered.stderr.splitlines(True) if not line.startswith("callmeter["))
    expected = expected_of(bare)
    trouble = []
    if bare.returncode != metered.returncode:
        trouble.append(f"ended with {metered.returncode}, bare with {bare.returncode}")
    if signal_alone and bare.returncode != -signal_alone:
        trouble.append(f"died of {-bare.returncode} bare")
    if (bare.stdout, bare.stderr) != (metered.stdout, rest):
        trouble.append(f"said {metered.stdout + rest!r}, bare {bare.stdout + bare.stderr!r}")
    if len(own) != expected:
        trouble.append(f"{len(own)} panics, not {expected}: {own}")
    for line in own:
        found = LINE.match(line)
        if not found or not re.fullmatch(function, found[2]):
            trouble.append(f"line: {line!r}")
    return [f"{' '.join(arguments[1:])}: {text}" for text in trouble]


def compare_all(cases, compare_one):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(compare_one, cases))
    lines = [line for result in results for line in result]
    print(*lines, f"{len(cases)} cases", sep="\n")
    return bool(lines)


def matrix(program, shim, manifest, threads, handlers, *early):
    def compare_one(case):
        way, thread, handler = case
        return compare([program, *case, *early], shim, manifest,
                       lambda bare: panics_of(way, thread, handler, early, bare), "crash_here",
                       SIGNALS[way] if handler == "none" else None)
    return compare_all([(way, thread, handler) for way in WAYS for thread in threads.split(",")
                        for handler in handlers.split(",")], compare_one)


# Of crash-handlers: what the second fault, in the handler of the first, leads to.
FAULTS = {"segv": signal.SIGSEGV, "bus": signal.SIGBUS, "fpe": signal.SIGFPE, "ill": signal.SIGILL}
BLOCKED = "own mask none call block reset".split()


def dies_of_second(first, second, blocked):
    return blocked in ("mask", "call", "block") or (blocked != "none" and first == second)


def handlers(program, shim, manifest, threads):
    def compare_one(case):
        first, second, blocked = case[:3]
        dies = second != "raise" and dies_of_second("segv" if first == "raise" else first, second, blocked)
        # Else the handler is called again, and exits: at once, or, where it is blocked, after the call that raised it.
        return compare([program, *case], shim, manifest, lambda bare: 1,
                       "(crash_in_handler|no tracked function)" if second == "raise" else "crash_in_handler",
                       FAULTS[second] if dies else None)
    firsts, seconds = ("segv fpe raise", "segv bus fpe raise")
    if os.environ.get("FULL"):
        firsts = seconds = "segv bus fpe ill raise"
    return compare_all([(first, second, blocked, stack, thread) for first in firsts.split()
                        for second in seconds.split() for blocked in BLOCKED for stack in ("own", "other")
                        for thread in threads.split(",")], compare_one)


# What gdb says of a core: the signal, and the frames down to the tracked function, whose callers differ.
QUESTIONS = {"signal": "p $_siginfo.si_signo", "code": "p $_siginfo.si_code", "frames": "bt 12"}
ADDRESSES = {"overflow": "p ((long)$rsp - (long)$_siginfo._sifields._sigfault.si_addr) / 8192",
             "cut-file": "p (long)cut_page - (long)$_siginfo._sifields._sigfault.si_addr",
             "constant": "p (long)&constant - (long)$_siginfo._sifields._sigfault.si_addr"}
SENT = "p $_siginfo._sifields._kill.si_uid"
FAULT = "p $_siginfo._sifields._sigfault.si_addr == $pc ? -1 : (long)$_siginfo._sifields._sigfault.si_addr"


def ask(program, core, address, index):
    questions = QUESTIONS | {"address": address}
    commands = [word for text in questions.values() for word in ("-ex", "echo \\n@@\\n", "-ex", text)]
    # Indexing the debug information of libc anew takes gdb longer than all the rest.
    cache = ["-iex", f"set index-cache directory {index}", "-iex", "set index-cache enabled on"]
    output = subprocess.run(["gdb", "-nx", "-batch", *cache, *commands, program, core], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    answers = dict(zip(questions, output.split("\n@@\n")[1:]))
    frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(.*?\)(?: (?:at|from) (\S+))?$", answers["frames"], re.M)
    names = [name for name, _ in frames]
    if "way_outside" in names:  # it may come a little sooner or later
        names = names[names.index("way_outside"):]
    answers["frames"] = names[: names.index("crash_here") + 1 if "crash_here" in names else 1]
    return {name: answer if name == "frames" else answer.split("=")[-1].strip() for name, answer in answers.items()}


def core_of(folder):
    found = [entry.path for entry in os.scandir(folder)]
    return found[0] if len(found) == 1 else None


def compare_cores(program, shim, manifest, folder, cases):
    """`cases`: arguments of the program, and the question for the fault's address."""
    trouble = []
    for arguments, address in cases:
        answers = []
        for metered in (False, True):
            place = os.path.join(folder, f"{'-'.join(arguments)}-{metered}")
            os.mkdir(place)
            run([program, *arguments], *([shim, manifest] if metered else []), core_bytes=-1, folder=place)
            core = core_of(place)
            answers.append(ask(program, core, address, os.path.join(folder, "index")) if core else None)
        if not answers[0] or not answers[0]["frames"] or answers[0] != answers[1]:
            trouble.append(f"{arguments}: bare {answers[0]}\n   metered {answers[1]}")
    print(*trouble, f"{len(cases)} cores", sep="\n")
    return bool(trouble)


def cores(program, shim, manifest, thread, folder):
    return compare_cores(program, shim, manifest, folder, [
        ((way, thread, "none"), SENT if way in ABORTS | RAISES | {"outside"} else ADDRESSES.get(way, FAULT))
        for way in WAYS])


def handler_cores(program, shim, manifest, folder):
    cases = ["segv segv own own main", "fpe segv mask other main", "raise bus mask own main", "fpe fpe reset own thread",
             "segv segv own other thread", "ill ill block other thread"]
    if os.environ.get("FULL"):
        cases = [f"{first} {second} mask {stack} {thread}" for first in [*FAULTS, "raise"] for second in FAULTS
                 for stack in ("own", "other") for thread in ("main", "thread")]
    return compare_cores(program, shim, manifest, folder, [
        (case.split(), ADDRESSES["cut-file"] if " bus " in case[3:] else FAULT) for case in cases])


if __name__ == "__main__":
    sys.exit({"matrix": matrix, "cores": cores, "handlers": handlers, "handler-cores": handler_cores}[sys.argv[1]](
        *sys.argv[2:]))
