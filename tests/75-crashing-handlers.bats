# Handlers of the program's that crash themselves while their signal is blocked: counted once, and the program ends as it
# would have. What it is told of its mask meanwhile is as bare.

load lib/helper

crashes() {
  python3 "$root/tests/lib/crashes.py" "$1" "$(target crash-handlers)" "$shim" "$manifest" "${@:2}"
}

panics_of() {
  grep -cE '^callmeter\[[0-9]+\]: error: SIG' "$1" || true
}

# meter_masks VICTIM MODE PANICS STATUS: it ends as its bare run does, with so many panics told of.
meter_masks() {
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}, {"symbol": "work"}]}'
  run_bare "$(target "$1")" "$2"
  assert_equal "$4" "$bare_status" "bare status of $2"
  start_metered "$(target "$1")" "$2" || true
  if [[ $4 == 0 ]]; then
    wait_done
    scrape
    assert_truths
    release
  else
    wait_exit
  fi
  assert_same_as_bare
  assert_equal "$3" "$(panics_of "$run_dir/err")" "panics of $2" || fail "$(cat "$run_dir/err")"
}

@test "a handler of a fault that faults, whatever is blocked in it: the same end, and one panic" {
  manifest_of crash_in_handler
  crashes handlers main,thread
}

@test "its core has the second fault's signal, code and address, and where it was" {
  local pattern=/proc/sys/kernel/core_pattern saved
  saved=$(<$pattern)
  [[ $saved != [\|/]* ]] || skip "cores go elsewhere here: $saved"
  mkdir "$BATS_TEST_TMPDIR/cores"
  ulimit -S -c unlimited 2>/dev/null || skip 'cores are not allowed here'
  manifest_of crash_in_handler
  crashes handler-cores "$BATS_TEST_TMPDIR/cores"
}

@test "a fault that the manifest does not name, but that is callmeter's to answer in its state file: no panic" {
  mkdir "$BATS_TEST_TMPDIR/state"
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_in_handler"}], "panics": {"signals": ["SIGSEGV"]},
    "state": {"dir": "'"$BATS_TEST_TMPDIR"'/state"}}'
  start_metered "$(target crash-handlers)" bus bus own own main || true
  wait_exit
  assert_equal 135 "$exit_status" 'exit status'
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
}

@test "a handler that uses up its own stack" {
  meter_masks crash-leaves overflow 1 139
}

@test "a handler that faults after another one has interrupted it" {
  meter_masks crash-leaves interrupted 1 139
  meter_masks crash-leaves let-in 0 0
}

@test "a handler that faults after it has had a child on its own memory" {
  meter_masks crash-leaves borrowed 1 139
}

@test "a handler that was left with its signal blocked, and a fault behind it" {
  meter_masks crash-leaves plain 1 139
  meter_masks crash-leaves unseen 1 139
}

@test "handlers that are left with the mask put back, or that the program opens the signal after: no panic" {
  meter_masks crash-leaves restored 0 0
  meter_masks crash-leaves opened 0 0
}

@test "a handler that opens its signal and survives a fault of its own, and then does not survive another" {
  meter_masks crash-leaves probe 0 139
}

@test "the mask that a handler is told of, saves, sets and hands on is that of a bare run" {
  meter_masks crash-masks asks 0 0
}

@test "the mask that a handler sets for its return is the one that the program goes on with" {
  meter_masks crash-leaves returned 0 0
}

@test "the signal of a handler that is raised in it waits until it is let through" {
  meter_masks crash-masks raises 0 0
  meter_masks crash-masks pending 0 0
  meter_masks crash-masks others 0 0
}

@test "a signal for the process that all its threads have blocked waits for them, with all that was sent" {
  meter_masks crash-masks queued 0 0
}

@test "a signal for the process that comes to a thread in whose handler it is blocked waits for its end" {
  meter_masks crash-masks sent 0 0
  meter_masks crash-masks sent-by-another 0 0
}

@test "calls that a handler makes are counted" {
  meter_masks crash-leaves works 0 0
}

@test "a signal that is blocked outside of handlers is the kernel's to judge" {
  meter_masks crash-leaves blocked 0 139
}
