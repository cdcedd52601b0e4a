"""Ways to die, bare and under the shim: the same end, and as many panics counted as there are.

Usage: crashes.py matrix PROGRAM SHIM MANIFEST THREADS HANDLERS [early]
       crashes.py cores PROGRAM SHIM MANIFEST THREAD FOLDER

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
LINE = re.compile(r"^callmeter\[\d+\]: error: SIG(\w+) .*\bin (\w+|no tracked function)")


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
        return handler == "abort"
    if handler == "crash":
        # Its signal is blocked in the handler: the kernel kills without asking anybody.
        return way == "overflow" and thread == "thread"
    if way == "overflow" and handler.startswith("signal-"):
        return 0  # not on the alternate stack, and on the thread's own there is no room for the handler
    return 1


def compare(program, shim, manifest, case):
    way, thread, handler, early = case
    arguments = [program, way, thread, handler] + early
    bare = run(arguments)
    metered = run(arguments, shim, manifest)
    own = [line for line in metered.stderr.splitlines(True) if line.startswith("callmeter[")]
    rest = "".join(line for line in metered.stderr.splitlines(True) if not line.startswith("callmeter["))
    expected = panics_of(way, thread, handler, early, bare)
    trouble = []
    if bare.returncode != metered.returncode:
        trouble.append(f"ended with {metered.returncode}, bare with {bare.returncode}")
    if handler == "none" and bare.returncode != -SIGNALS[way]:
        trouble.append(f"died of {-bare.returncode} bare")
    if (bare.stdout, bare.stderr) != (metered.stdout, rest):
        trouble.append(f"said {metered.stdout + rest!r}, bare {bare.stdout + bare.stderr!r}")
    if len(own) != expected:
        trouble.append(f"{len(own)} panics, not {expected}: {own}")
    for line in own:
        found = LINE.match(line)
        if not found or found[2] != "crash_here":
            trouble.append(f"line: {line!r}")
    return [f"{' '.join(arguments[1:])}: {text}" for text in trouble]


def matrix(program, shim, manifest, threads, handlers, *early):
    cases = [(way, thread, handler, list(early)) for way in WAYS for thread in threads.split(",")
             for handler in handlers.split(",")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda case: compare(program, shim, manifest, case), cases))
    lines = [line for result in results for line in result]
    print(*lines, f"{len(cases)} cases", sep="\n")
    return bool(lines)


# What gdb says of a core: the signal, and the frames down to the tracked function, whose callers differ.
QUESTIONS = {"signal": "p $_siginfo.si_signo", "code": "p $_siginfo.si_code", "frames": "bt 12"}
ADDRESSES = {"overflow": "p ((long)$rsp - (long)$_siginfo._sifields._sigfault.si_addr) / 8192",
             "cut-file": "p (long)cut_page - (long)$_siginfo._sifields._sigfault.si_addr",
             "constant": "p (long)&constant - (long)$_siginfo._sifields._sigfault.si_addr"}
SENT = "p $_siginfo._sifields._kill.si_uid"
FAULT = "p $_siginfo._sifields._sigfault.si_addr == $pc ? -1 : (long)$_siginfo._sifields._sigfault.si_addr"


def ask(program, core, way):
    sent = way in ABORTS | RAISES | {"outside"}
    questions = QUESTIONS | {"address": SENT if sent else ADDRESSES.get(way, FAULT)}
    commands = [word for text in questions.values() for word in ("-ex", "echo \\n@@\\n", "-ex", text)]
    output = subprocess.run(["gdb", "-nx", "-batch", *commands, program, core], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    answers = dict(zip(questions, output.split("\n@@\n")[1:]))
    frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(.*?\)(?: (?:at|from) (\S+))?$", answers["frames"], re.M)
    names = [name for name, _ in frames]
    if way == "outside":  # it may come a little sooner or later
        names = names[names.index("way_outside"):]
    answers["frames"] = names[: names.index("crash_here") + 1 if "crash_here" in names else 1]
    return {name: answer if name == "frames" else answer.split("=")[-1].strip() for name, answer in answers.items()}


def core_of(folder):
    found = [entry.path for entry in os.scandir(folder)]
    return found[0] if len(found) == 1 else None


def cores(program, shim, manifest, thread, folder):
    trouble = []
    for way in WAYS:
        answers = []
        for metered in (False, True):
            place = os.path.join(folder, f"{way}-{metered}")
            os.mkdir(place)
            run([program, way, thread, "none"], *([shim, manifest] if metered else []), core_bytes=-1, folder=place)
            core = core_of(place)
            answers.append(ask(program, core, way) if core else None)
        if not answers[0] or not answers[0]["frames"] or answers[0] != answers[1]:
            trouble.append(f"{way}: bare {answers[0]}\n   metered {answers[1]}")
    print(*trouble, f"{len(WAYS)} cores", sep="\n")
    return bool(trouble)


if __name__ == "__main__":
    sys.exit({"matrix": matrix, "cores": cores}[sys.argv[1]](*sys.argv[2:]))
