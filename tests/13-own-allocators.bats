# Programs with an allocator of their own: nothing of callmeter calls it before it works, and those whose main sets it up
# run as bare.

bats_require_minimum_version 1.5.0

load lib/helper

# assert_stands_aside PROGRAM [VARIABLE=VALUE]...: with one line that says so, at once.
assert_stands_aside() {
  run_bare "$1"
  run -0 --separate-stderr env "${@:2}" LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    "$1" </dev/null
  diff "$BATS_TEST_TMPDIR/bare.out" <(printf '%s\n' "$output") || fail "the output of $1 differs"
  assert_match '^callmeter\[[0-9]+\]: warn: the program runs uninstrumented: it has an allocator of its own, [^.]*$' "$stderr"
}

assert_metered() {
  run_bare "$1"
  start_metered "$@"
  wait_done
  scrape
  assert_truths || fail "in: $*"
  release
  assert_same_as_bare
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
}

@test "an allocator that main sets up: the program runs as bare, with one line that says why" {
  local early
  manifest_of work
  for early in crash abort loop nothing small overflow garbage free_crash; do
    assert_stands_aside "$(target own-allocator-$early)" || fail "an early call: $early"
  done
}

@test "an allocator that waits for main to set it up is not waited for long" {
  manifest_of work
  assert_stands_aside "$(target own-allocator-wait)"
}

@test "an allocator that main sets up, and a manifest that is for nothing in the program" {
  manifest_of no_such_function
  assert_stands_aside "$(target own-allocator-crash)"
  manifest_json '{"version": 1, "executables": ["nobody"], "functions": [{"symbol": "work"}]}'
  run -0 --separate-stderr env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$(target own-allocator-crash)" </dev/null
  assert_equal '' "$stderr" 'standard error'
  assert_match 'early calls: 0' "$output"
}

@test "the program's allocator is tried in a child of which the program sees nothing" {
  local program
  command -v strace >/dev/null || skip 'strace is not installed'
  program=$(target own-allocator-abort)
  manifest_of work
  run -0 strace -f -o "$BATS_TEST_TMPDIR/strace" -e trace=process,signal env LD_PRELOAD="$shim" \
    CALLMETER_MANIFEST="$manifest" CALLMETER_EXE='own-*' "$program" </dev/null
  assert_lines 0 "$BATS_TEST_TMPDIR/strace" 'SIGCHLD|dumped|killed by'
  assert_lines 1 "$BATS_TEST_TMPDIR/strace" 'SIGABRT \{si_signo'
  [[ $output != *'no heap yet'* ]] || fail "$output"
}

@test "an allocator that works from the first call on, or once constructors have run: metered" {
  manifest_of work
  assert_metered "$(target own-allocator-ready)"
  assert_metered "$(target own-allocator-constructor)"
}

@test "a library's allocator that its constructor sets up: needed by the program, or preloaded in both orders" {
  local library greeter=greeter-own-allocator
  library=$(target libownallocator.so)
  manifest_of greet
  for preload in "$shim" "$shim:$library" "$library:$shim"; do
    [[ $preload == "$shim" ]] || greeter=greeter
    start_metered LD_PRELOAD= CALLMETER_EXE='greeter*' env LD_PRELOAD="$preload" "$(target $greeter)" greet 7
    wait_done
    scrape
    assert_truth greet success=7 || fail "with LD_PRELOAD=$preload"
    release
    assert_equal 0 "$exit_status" "exit status with LD_PRELOAD=$preload"
    assert_equal '' "$(cat "$run_dir/err")" 'standard error'
  done
}

@test "strict: a program whose allocator does not work before main does not start" {
  manifest_of work
  run -78 env CALLMETER_STRICT=1 LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$(target own-allocator-crash)" </dev/null
}
