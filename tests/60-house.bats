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
    exit quick_exit _exit _Exit fork __fork daemon forkpty pthread_create unshare setns capset prctl syscall \
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

@test "the preload object has little static TLS" {
  local bytes
  bytes=$(readelf -lW "$shim" | awk '$1 == "TLS" { print $6 }')
  ((${bytes:-0} <= 256)) || fail "$bytes bytes of TLS"
}

# includes_of FOLDER: what its files include from the project, without its own folder.
includes_of() {
  grep -rhoE '^ *# *include "[^"]+"' --include='*.[chS]' "$root/$1" | sed 's/.*"\(.*\)"/\1/' | grep / | grep -v "^$1/" | sort -u
}

@test "symbols/ includes nothing of server/ and preload/" {
  assert_equal '' "$(includes_of symbols)" includes
}

@test "server/ includes nothing of symbols/ and preload/" {
  assert_equal '' "$(includes_of server)" includes
}

@test "what is asked about a filter of system calls is all that may be asked of the kernel there" {
  assert_equal '' "$(python3 "$root/tests/lib/forbidden.py" "$root")" 'system calls that the lists do not have'
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
