# What the program is told of its signals, and what becomes of it, is as bare.

load lib/helper

panics_of() {
  grep -cE '^callmeter\[[0-9]+\]: error: SIG' "$1" || true
}

# meter_end VICTIM MODE PANICS FUNCTION...: it says what it says bare, ends as it does, and so many panics are told of.
meter_end() {
  meter_to_the_end "$1" "$2" "${@:4}"
  assert_equal "$3" "$(panics_of "$run_dir/err")" "panics of $1 $2" || fail "$(cat "$run_dir/err")"
}

@test "a thread that has set no alternate stack has none" {
  meter_victim alternate-stacks asks
}

@test "a stack overflow comes to a handler whose program sets an alternate stack where there is none" {
  meter_end alternate-stacks overflow 1 descend
  meter_end alternate-stacks thread 1 descend
}

@test "handlers on alternate stacks with room for one frame: the same ends, and nothing is written below" {
  meter_end small-stacks little 12 fault # a fault there finds no room: the kernel ends the program
  meter_end small-stacks less 12 fault
  meter_end small-stacks another 14 fault
}

# Sets crash_status to what a redis-server that its user lets crash ends with. ARGUMENTs come before its name.
crash_redis() {
  local socket=$BATS_TEST_TMPDIR/redis.sock
  start "${@:2}" redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --enable-debug-command yes \
    --dir "$BATS_TEST_TMPDIR" --logfile "$BATS_TEST_TMPDIR/log"
  wait_until redis-cli -s "$socket" ping
  redis-cli -s "$socket" debug "$1" >"$BATS_TEST_TMPDIR/answer" 2>&1 || true
  wait_exit
  assert_lines 1 "$BATS_TEST_TMPDIR/log" '^=== REDIS BUG REPORT END'
  rm -f "$BATS_TEST_TMPDIR/log"
}

@test "redis, whose handler tests all memory by writing over it: the same report and end, and one panic" {
  local way bare
  command -v redis-server redis-cli >/dev/null || skip 'redis is not installed'
  manifest_json '{"version": 1, "functions": [{"symbol": "*"}]}'
  for way in segfault panic; do
    crash_redis "$way" env
    bare=$exit_status
    crash_redis "$way" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none
    assert_equal "$bare" "$exit_status" "exit status of $way"
    assert_equal 1 "$(panics_of "$run_dir/err")" "panics of $way"
  done
}

@test "children that confine themselves to a few system calls end as they do bare" {
  local mode
  "$(target confined-faults)" few </dev/null | grep -q 'exit: status 400' || skip 'there are no filters here'
  for mode in few fewer files badly; do
    meter_victim confined-faults "$mode"
  done
}

@test "children that may open no file end as they do bare where reports would be written" {
  "$(target confined-faults)" few </dev/null | grep -q 'exit: status 400' || skip 'there are no filters here'
  mkdir -m 700 "$BATS_TEST_TMPDIR/reports"
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}],
    "panics": {"report_dir": "'"$BATS_TEST_TMPDIR"'/reports"}}'
  run_bare "$(target confined-faults)" files
  start_metered "$(target confined-faults)" files
  wait_done
  scrape
  assert_truths
  assert_equal '' "$(ls -A "$BATS_TEST_TMPDIR/reports")" 'reports'
  release
  assert_same_as_bare
}

@test "filters that the kernel refuses, from four threads at once: faults behind them are panics" {
  meter_victim confined-faults threads
}

@test "a program that has its system calls dispatched to a handler of its own" {
  run_bare "$(target dispatch)" dispatch
  assert_equal 0 "$bare_status" 'bare status'
  manifest_json '{"version": 1, "functions": [{"symbol": "call_here"}], "panics": {"signals": ["SIGSYS", "SIGSEGV"]}}'
  start_metered "$(target dispatch)" dispatch
  wait_done
  scrape
  assert_truths
  release
  assert_same_as_bare
}

@test "a dispatch of system calls that the kernel refuses: a fault behind it is a panic" {
  meter_end dispatch refused 1 crash_here
}

@test "threads that end in a handler, which has interrupted a function with an unaligned stack" {
  meter_victim handler-exits threads
}

@test "a fault with the processor's alignment check on" {
  meter_end unaligned fault 1 crash_here
}
