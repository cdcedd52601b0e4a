# Fatal signals: the program dies as it would have without callmeter, or goes on, and each panic is counted once.

load lib/helper

crashes() {
  python3 "$root/tests/lib/crashes.py" "$1" "$(target crash-ways)" "$shim" "$manifest" "${@:2}"
}

panics_of() {
  grep -cE '^callmeter\[[0-9]+\]: error: SIG' "$1" || true
}

# meter_hazard MODE PANICS [FUNCTION]: the end of crash-hazards is that of its bare run, with so many panics told of.
meter_hazard() {
  manifest_hazards
  run_bare "$(target crash-hazards)" "$1"
  start_metered "$(target crash-hazards)" "$1" || true
  release
  assert_equal "$bare_status" "$exit_status" "exit status of $1"
  diff "$BATS_TEST_TMPDIR/bare.out" "$run_dir/out"
  assert_equal "$2" "$(panics_of "$run_dir/err")" "panics of $1" || fail "$(cat "$run_dir/err")"
}

manifest_hazards() {
  manifest_json '{"version": 1, "follow_exec": true, "panics": {"linger_seconds": '"${linger_seconds:-0}"'},
    "functions": [{"symbol": "crash_here"}, {"symbol": "work"}, {"symbol": "vforking"}, {"symbol": "forking"}, {"symbol": "leave_unseen"}]}'
}

# scrape_until NAME VALUE LABEL...: while the program is dying.
scraped() {
  scrape && [[ $(metric "$2" "${@:3}") == "$1" ]]
}

### How programs end

@test "19 ways to die, on two threads: the same end, and one panic each" {
  manifest_of crash_here serve
  crashes matrix main,thread none
}

@test "19 ways to die, with handlers of the program's: the same end, and one panic where it ends" {
  manifest_of crash_here serve
  crashes matrix main,thread signal-exit,signal-slow-exit,signal-default,siginfo-raise,reset,ignore
}

@test "19 ways to die, with handlers that the program had before callmeter started" {
  manifest_of crash_here serve
  crashes matrix main,thread signal-exit,signal-slow-exit,signal-default,siginfo-raise,reset,ignore early
}

@test "a handler that the program jumps out of: no panic" {
  manifest_of crash_here serve
  crashes matrix main,thread jump
  crashes matrix main,thread jump early
}

@test "a handler that crashes, or aborts" {
  manifest_of crash_here serve
  crashes matrix main,thread crash,abort
  crashes matrix main,thread crash,abort early
}

@test "cores have the signal, its code and address, and the frames of a bare run" {
  local pattern=/proc/sys/kernel/core_pattern saved
  saved=$(<$pattern)
  [[ $saved != [\|/]* ]] || skip "cores go elsewhere here: $saved"
  mkdir "$BATS_TEST_TMPDIR/main" "$BATS_TEST_TMPDIR/thread"
  ulimit -S -c unlimited 2>/dev/null || skip 'cores are not allowed here'
  manifest_of crash_here serve
  crashes cores main "$BATS_TEST_TMPDIR/main"
  crashes cores thread "$BATS_TEST_TMPDIR/thread"
}

@test "ends of C++: an exception that nobody catches, a pure virtual call, noexcept, terminate" {
  local mode
  manifest_of 'crash_here(int)'
  for mode in uncaught pure noexcept terminate; do
    run_bare "$(target crash-throws)" "$mode"
    assert_equal 134 "$bare_status" "bare status of $mode"
    start_metered "$(target crash-throws)" "$mode" || true
    wait_exit
    assert_equal 134 "$exit_status" "exit status of $mode"
    assert_equal 1 "$(panics_of "$run_dir/err")" "panics of $mode"
    assert_lines 1 "$run_dir/err" 'error: SIGABRT.* in crash_here\(int\)'
    diff "$BATS_TEST_TMPDIR/bare.err" <(grep -v '^callmeter' "$run_dir/err")
  done
}

@test "a program that throws out of its handlers, and ends later: no panic" {
  manifest_of 'crash_here(int)'
  run_bare "$(target crash-throws)" thrown
  assert_equal 7 "$bare_status" 'bare status'
  start_metered "$(target crash-throws)" thrown || true
  wait_exit
  assert_same_as_bare
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
}

### Counts

@test "while the program lingers, its panic can be scraped, and a signal ends the wait" {
  linger_seconds=30
  manifest_hazards
  start_metered "$(target crash-hazards)" one
  wait_until scraped 1 fatal_signals_total signal=SIGSEGV
  assert_metric 1 panics_total function=crash_here module=crash-hazards signal=SIGSEGV
  assert_metric 1 calls_total function=crash_here outcome=panic
  assert_metric 0 calls_active function=crash_here
  assert_metric 1 calls_total function=work outcome=success
  kill -TERM "$pid"
  wait_exit
  assert_equal 139 "$exit_status" 'exit status'
}

@test "a stack overflow whose handler finds no room is a panic" {
  meter_hazard overflow 1
  assert_equal 139 "$exit_status" 'exit status'
}

@test "a lingering program does not end for a signal that it ignores" {
  local i
  linger_seconds=30
  manifest_hazards
  start_metered "$(target crash-hazards)" one-deaf
  wait_until scraped 1 fatal_signals_total signal=SIGSEGV
  kill -INT "$pid"
  for i in {1..20}; do scraped 1 fatal_signals_total signal=SIGSEGV; done
  kill -TERM "$pid"
  wait_exit
  assert_equal 139 "$exit_status" 'exit status'
}

@test "while a thread lingers, another one changes the user of all" {
  linger_seconds=30 deadline_seconds=20
  manifest_hazards
  start_metered "$(target crash-hazards)" set-id
  wait_until scraped 1 fatal_signals_total signal=SIGSEGV
  exec {input_fd}>&-
  unset 'input_fds[-1]'
  wait_until said changed
  kill -KILL "$pid"
  wait_exit
}

@test "a child of fork does not linger: nobody could ask it" {
  linger_seconds=30 deadline_seconds=20
  manifest_hazards
  start_metered "$(target crash-hazards)" forked
  wait_done
  scrape
  assert_truths
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "64 threads that crash at once are 64 panics, and one report" {
  linger_seconds=30
  manifest_hazards
  start_metered "$(target crash-hazards)" many
  wait_until scraped 64 fatal_signals_total signal=SIGSEGV
  assert_metric 64 panics_total function=crash_here signal=SIGSEGV
  assert_metric 64 calls_total function=crash_here outcome=panic
  assert_equal 1 "$(panics_of "$run_dir/err")" reports
  kill -KILL "$pid"
  wait_exit
}

@test "64 threads that crash at once, 200 times: no hang, one report" {
  local i
  manifest_hazards
  for i in {1..200}; do
    exit_status=0
    timeout -k 1 10 env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
      "$(target crash-hazards)" many </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" || exit_status=$?
    assert_equal 139 "$exit_status" "exit status of run $i"
    assert_equal 1 "$(grep -c 'in crash_here' "$BATS_TEST_TMPDIR/err")" "reports of run $i"
  done
}

@test "a program that survives by jumping out of its handler 20 000 times: no panic, all abandoned" {
  manifest_hazards
  start_metered "$(target crash-hazards)" jumps
  wait_done
  scrape
  assert_truths
  assert_metric 0 fatal_signals_total signal=SIGSEGV
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
}

@test "a program that jumped out of its handlers, and ends later: no panic" {
  meter_hazard jumps-and-ends 0
  assert_equal 7 "$exit_status" 'exit status'
  meter_hazard jumps-and-ends-on-stack 0
  meter_hazard unseen-jump-and-end 0
}

@test "a handler in which the program exits: a panic" {
  meter_hazard exit-in-handler 1
  assert_equal 7 "$exit_status" 'exit status'
}

@test "a handler in which the program exits, and then crashes or aborts on its way out: one panic" {
  meter_hazard abort-after-exit 1
  assert_equal 134 "$exit_status" 'exit status'
  assert_lines 1 "$run_dir/err" 'error: SIGSEGV.* in crash_here '
  meter_hazard crash-after-exit 1
  assert_equal 139 "$exit_status" 'exit status'
  start_metered "$(target crash-hazards)" forked-after-exit
  wait_done
  scrape
  assert_truths
  assert_metric 1 fatal_signals_total signal=SIGSEGV
  assert_metric 0 fatal_signals_total signal=SIGABRT
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a handler whose children exit: no panic" {
  meter_hazard asks 0
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a child of fork that crashes is counted where its parent serves" {
  manifest_hazards
  start_metered "$(target crash-hazards)" forked
  wait_done
  scrape
  assert_truths
  assert_metric 1 panics_total function=crash_here signal=SIGSEGV
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a child that crashes in the call in which it was forked ends that call a second time" {
  manifest_hazards
  start_metered "$(target crash-hazards)" forked-inside
  wait_done
  scrape
  assert_truths
  assert_metric 2 panics_total function=forking signal=SIGSEGV
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "children of vfork that crash are counted, and leave their parent as it was" {
  manifest_hazards
  start_metered "$(target crash-hazards)" vforked
  wait_done
  scrape
  assert_truths
  assert_metric 2 fatal_signals_total signal=SIGSEGV
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a call that was left by a jump that nobody saw is not where the program crashes" {
  meter_hazard left-behind 1
  assert_lines 1 "$run_dir/err" 'in no tracked function$'
}

@test "signals that the manifest does not name are left alone" {
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}], "panics": {"signals": ["SIGBUS"]}}'
  start_metered "$(target crash-hazards)" one || true
  wait_exit
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}], "panics": {"signals": []}}'
  start_metered "$(target crash-hazards)" one || true
  wait_exit
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
}

### The program's actions

@test "what the program sets and asks of its signals is as bare" {
  local mode
  manifest_of work
  run_bare "$(target crash-actions)"
  assert_equal 0 "$bare_status" 'bare status'
  start_metered "$(target crash-actions)"
  wait_done
  release
  assert_same_as_bare
}

### A guest's manners

@test "a signal that all threads of the program have blocked waits for them, not for callmeter's" {
  manifest_hazards
  start_metered "$(target crash-hazards)" pending
  wait_done
  kill -SEGV "$pid"
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_equal 0 "$(panics_of "$run_dir/err")" panics
}

@test "a crashing program's own pipes are byte-exact, whatever their numbers" {
  meter_hazard descriptors 0
  assert_equal 7 "$exit_status" 'exit status'
}

@test "standard error that is full, or that nobody reads, neither stops the program nor changes what it dies of" {
  meter_hazard full-pipe 0
  assert_equal 139 "$exit_status" 'exit status'
  meter_hazard broken-pipe 0
  assert_equal 139 "$exit_status" 'exit status'
}

@test "nothing is allocated in a handler" {
  local mode
  mkdir "$BATS_TEST_TMPDIR/reports"
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}, {"symbol": "abort_here"}],
    "panics": {"report_dir": "'"$BATS_TEST_TMPDIR"'/reports"}}'
  for mode in crash:139 abort:134; do
    start_metered "$(target crash-allocator)" "${mode%:*}" || true
    wait_exit
    assert_equal "${mode#*:}" "$exit_status" "exit status of ${mode%:*}"
    assert_equal 1 "$(panics_of "$run_dir/err")" panics
  done
}

@test "a fault in the handling itself: the program dies of what it had come with" {
  meter_hazard no-counters 0
  assert_equal 139 "$exit_status" 'exit status'
}

@test "a fault in callmeter's own thread stops that, and the program goes on" {
  manifest_hazards
  start_metered "$(target crash-hazards)" no-server
  wait_done
  if curl -sS --max-time 2 "http://$address/metrics" >/dev/null 2>&1; then fail 'it still answers'; fi
  wait_until grep -q "callmeter's own thread failed" "$run_dir/err"
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a file that would keep a report waiting for ever does not keep the program from dying" {
  mkdir "$BATS_TEST_TMPDIR/reports"
  cp "$(target crash-hazards)" "$BATS_TEST_TMPDIR/victim"
  manifest_json '{"version": 1, "functions": [{"symbol": "crash_here"}],
    "panics": {"report_dir": "'"$BATS_TEST_TMPDIR"'/reports"}}'
  start_metered "$BATS_TEST_TMPDIR/victim" no-file || true
  wait_exit
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal 1 "$(panics_of "$run_dir/err")" panics
}
