# What may not creep in: exported names, needed libraries, includes in the wrong direction.

load lib/helper

modules() {
  find "$(dirname "$shim")/callmeter" -name '*.so' | sort
}

exported() {
  nm -D --defined-only --format=posix "$1" | awk '$2 != "A" { sub(/@.*/, "", $1); print $1 }' | sort
}

needed() {
  readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

@test "the preload object exports its interposers and nothing else" {
  diff <(printf '%s\n' __asan_default_options __libc_start_main dlopen dlmopen __longjmp_chk _longjmp longjmp siglongjmp \
    execl execle execlp execv execve execveat execvp execvpe fexecve posix_spawn posix_spawnp \
    sigaction __sigaction signal ssignal bsd_signal sysv_signal __sysv_signal sigset sigignore siginterrupt sigaltstack \
    getrlimit getrlimit64 setrlimit setrlimit64 prlimit prlimit64 \
    abort raise kill \
    exit quick_exit _exit _Exit fork __fork daemon forkpty pthread_create unshare setns capset setfsuid setfsgid prctl syscall \
    sigprocmask pthread_sigmask __sigsetjmp setjmp getcontext setcontext swapcontext vfork clone system popen \
    sigsuspend sigpause __sigpause __xpg_sigpause pselect ppoll __ppoll_chk epoll_pwait \
    sigblock sigsetmask siggetmask sighold sigrelse | sort) <(exported "$shim")
}

@test "the preload object needs libc only" {
  assert_equal libc.so.6 "$(needed "$shim")" NEEDED
}

@test "each module exports at most its one entry" {
  local module
  [[ -n $(modules) ]]
  for module in $(modules); do
    (($(exported "$module" | wc -l) <= 1)) || fail "$module exports:" "$(exported "$module")"
  done
}

@test "no module needs an unwinder, the C++ runtime or the preload object" {
  local module
  for module in $(modules); do
    [[ $(needed "$module") != *libstdc++* && $(needed "$module") != *libgcc_s* && $(needed "$module") != *libcallmeter* ]] ||
      fail "$module needs:" "$(needed "$module")"
  done
}

@test "nothing that is loaded into a program can end it by an assertion" {
  local object
  for object in "$shim" $(modules); do
    assert_equal '' "$(nm -D "$object" | grep __assert)" "names that $object needs"
  done
  nm -D "$callmeter" | grep -q __assert_fail || fail 'the command has no assertions'
}

@test "text is never writable, and no object asks for an executable stack" {
  local object
  for object in "$shim" $(modules); do
    assert_equal '' "$(readelf -lW "$object" | grep -E ' (RWE|LOAD.* RWE) ')" "segments of $object that are writable and executable"
    assert_equal '' "$(readelf -dW "$object" | grep TEXTREL)" "text relocations of $object"
  done
}

@test "the data plane touches no vector, x87 or MXCSR state" {
  local archive
  archive=$(find "$build" -name libhot.a -print -quit)
  [[ -n $archive ]] || skip 'the data plane has no archive of its own in this build'
  # Reading a result is allowed; a vector register as the destination, and whatever begins with f, is not.
  assert_equal '' "$(objdump -d --no-show-raw-insn "$archive" |
    grep -E '%([xyz]mm[0-9]+|k[0-7])$|'$'\t''(f|ldmxcsr|xrstor|emms|vzero)' | head -n 5)" \
    'instructions that change vector or x87 state'
}

@test "what patches running code calls nothing outside of itself" {
  local archive
  archive=$(find "$build" -name liblive.a -print -quit)
  [[ -n $archive ]] || skip 'it has no archive of its own in this build'
  # A function of libc may be the one that is being written.
  assert_equal '' "$(nm -A "$archive" | awk '$(NF - 1) == "U" { needed[$NF] } $(NF - 1) ~ /^[A-TV-Z]$/ { defined[$NF] }
    END { for (name in needed) if (!(name in defined)) print name }')" 'symbols that are not its own'
}

@test "the preload object has little static TLS" {
  local bytes
  bytes=$(readelf -lW "$shim" | awk '$1 == "TLS" { print $6 }')
  ((${bytes:-0} <= 256)) || fail "$bytes bytes of TLS"
}

# rooms CHECK: nothing breaks that rule of the house (tests/lib/rooms.py).
rooms() {
  local faults
  faults=$(python3 "$root/tests/lib/rooms.py" "$1" "$root" "$build") || fail "rooms.py $1 failed"
  [[ -z $faults ]] || fail "$faults"
}

@test "each folder of code is a room that has its rule, and says what it is for" {
  rooms folders
  rooms purposes
}

@test "a file includes only what its room may know: its own folder and rooms below it" {
  rooms includes
}

@test "an object file needs only what its own room or one below it defines" {
  rooms calls
}

@test "few pairs of files are let pass, and each of them has to be" {
  local count
  rooms excused
  count=$(sed '1,/^\[up\]/d' "$root/tests/lib/rooms.txt" | grep -c '^[a-z]')
  ((count <= 6)) || fail "$count pairs are let pass"
}

@test "symbols/ includes nothing of server/ and preload/" {
  assert_equal '' "$(grep -rnE '^ *# *include "(server|preload)/' --include='*.[chS]' "$root/symbols")" includes
}

@test "server/ includes nothing of symbols/ and preload/" {
  assert_equal '' "$(grep -rnE '^ *# *include "(symbols|preload)/' --include='*.[chS]' "$root/server")" includes
}

@test "no more than three modules include or call each other in a circle" {
  rooms circles
}

@test "functions that are exported are defined in preload/interpose/ alone" {
  rooms exports
}

@test "a header that is private to a room, or part of it, is included there alone" {
  rooms private
}

@test "no function has over 57 lines, no file over 500, most functions few" {
  rooms sizes
}

# plant FILE TEXT: adds a line to a file of a copy of the tree.
plant() {
  mkdir -p "$BATS_TEST_TMPDIR/copy/tests"
  cp -r "$root"/{preload,symbols,server} "$BATS_TEST_TMPDIR/copy/"
  cp -r "$root/tests/lib" "$BATS_TEST_TMPDIR/copy/tests/"
  printf '%s\n' "$2" >>"$BATS_TEST_TMPDIR/copy/$1"
}

# assert_found CHECK PATTERN: the rules find what was planted.
assert_found() {
  assert_match "$2" "$(python3 "$root/tests/lib/rooms.py" "$1" "$BATS_TEST_TMPDIR/copy" "$build")"
}

@test "planted violations of the house's rules are found" {
  plant preload/machine/log.c '#include "preload/records/lane.h"'
  assert_found includes 'preload/machine/log.c includes preload/records/lane.h'
  plant symbols/common/diag.c '#include "server/segment/segment.h"'
  assert_found includes 'symbols/common/diag.c includes server/segment/segment.h'
  plant preload/cli/program.c '#include "server/snapshot/snapshot.h"'
  assert_found includes 'preload/cli/program.c includes server/snapshot/snapshot.h'
  plant server/common/utf8.h $'#include "server/http/http.h"\n#include "server/http/serving.h"'
  assert_found circles '.*server/common/utf8'
  plant symbols/common/bulk.h $'/* Private to symbols/common. */'
  sed -i '1s/.*/\/* Private to symbols\/common. *\//' "$BATS_TEST_TMPDIR/copy/symbols/common/bulk.h"
  assert_found private 'includes symbols/common/bulk.h, which is private'
  plant server/common/utf8.c "$(printf 'static void planted(void)\n{\n'; printf '    ;\n%.0s' {1..55}; printf '}\n')"
  assert_found sizes 'server/common/utf8.c has a function of 58 lines: static void planted'
  plant server/common/utf8.c "$(printf '/* */\n%.0s' {1..500})"
  assert_found sizes 'server/common/utf8.c has .* lines'
  mkdir "$BATS_TEST_TMPDIR/copy/server/planted"
  plant server/planted/room.c ''
  assert_found folders 'server/planted has no rule'
}

@test "what no test runs has its reason for functions that are there" {
  local copy=$BATS_TEST_TMPDIR/copy
  assert_equal '' "$(python3 "$root/tests/lib/unrun.py" check "$root")" 'faults of tests/lib/unrun.txt'
  mkdir -p "$copy/tests/lib" "$copy/server"
  printf 'static int there(void)\n{\n    return 1;\n}\n' >"$copy/server/a.c"
  printf '%s\n' 'server/a.c there for a reason' 'server/a.c gone for a reason' 'server/a.c there' 'server/b.c there for a reason' \
    >"$copy/tests/lib/unrun.txt"
  assert_equal "tests/lib/unrun.txt is not sorted
server/a.c has no function gone
server/a.c there: expected FILE FUNCTION REASON
server/b.c is not there" "$(python3 "$root/tests/lib/unrun.py" check "$copy")" 'faults that were planted'
  printf '{"files": [{"file": "server/a.c", "lines": [{"line_number": 3, "count": 0}, {"line_number": 4, "count": 1}]}]}' >"$copy/json"
  printf 'server/a.c there for a reason\n' >"$copy/tests/lib/unrun.txt"
  assert_equal 'server/a.c:3 there: for a reason' "$(python3 "$root/tests/lib/unrun.py" runs "$copy" "$copy/json")" 'runs of lines'
}

@test "clang-format would change nothing" {
  command -v clang-format >/dev/null || skip 'clang-format is not installed'
  (cd "$root" && find preload symbols server tests -name '*.[ch]' -o -name '*.cpp' | xargs clang-format --dry-run -Werror)
}

@test "what is asked about a filter of system calls is all that may be asked of the kernel there" {
  assert_equal '' "$(python3 "$root/tests/lib/forbidden.py" "$root")" 'system calls that the lists do not have'
}

# A handler that finds itself on callmeter's lane is not counted. At the start there is no lane yet, and a thread of its own has
# no handlers.
@test "who works on a thread of the program begins and ends it by own_work.h alone" {
  assert_equal $'preload/gate.c 2\npreload/records/lane.c 1\npreload/records/own_work.c 1' \
    "$(cd "$root" && grep -rE --include='*.[chS]' --exclude='lane.h' '\blane_enter\(' preload | grep -v 'struct lane \*lane_enter(void)' |
      cut -d: -f1 | sort | uniq -c | awk '{ print $2, $1 }')" 'calls of lane_enter'
}

@test "each header compiles alone" {
  local header
  for header in $(cd "$root" && find symbols server preload tests -name '*.h'); do
    printf '#include "%s"\n' "$header" |
      gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I"$root" -x c - || fail "$header"
  done
}

@test "every script and test is clean for shellcheck" {
  command -v shellcheck >/dev/null || skip 'shellcheck is not installed'
  (cd "$root" && shellcheck -S error -x scripts/quickstart scripts/test scripts/bench scripts/lib.bash tests/csmith/run tests/lib/helper.bash .ci/run)
}
