# `recover`: a fault in a tracked call becomes a return, or is refused with a reason.

load lib/helper

variants=(crash-recover crash-recover-O0)

# manifest_recover MAX
manifest_recover() {
  mkdir -p "$BATS_TEST_TMPDIR/reports"
  manifest_json '{"version": 1, "functions": [
      {"symbol": "parse", "returns": "int", "recover": {"return": -1}}, {"symbol": "outer"}, {"symbol": "frail"}],
    "panics": {"max_recoveries": '"$1"', "linger_seconds": '"${linger_seconds:-0}"', "max_reports": 1000
      '"${2:+, \"report_dir\": \"$BATS_TEST_TMPDIR/reports\"}"'}}'
}

# recover_to_the_end VARIANT MODE
recover_to_the_end() {
  find "$BATS_TEST_TMPDIR/reports" -type f -delete
  run_bare "$(target "$1")" "$2"
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target "$1")" "$2"
  release
}

reasons() {
  find "$BATS_TEST_TMPDIR/reports" -name '*.json' -exec jq -r .recovered {} +
}

# refused VARIANT MODE REASON: it dies as bare, and the report says why.
refused() {
  recover_to_the_end "$1" "$2"
  assert_equal "$bare_status" "$exit_status" "exit status of $1 $2"
  ((exit_status > 128)) || fail "$1 $2 has not crashed"
  assert_equal "$3" "$(reasons)" "reasons of $1 $2" || return 1
  assert_lines 0 "$run_dir/err" ', recovered'
}

@test "100 000 faults, each a return with all registers as the caller had them" {
  local variant
  for variant in "${variants[@]}"; do
    manifest_recover 1000000
    start_metered "$(target "$variant")" often
    deadline_seconds=60
    wait_done
    scrape
    assert_truths
    assert_metric 100000 panics_recovered_total function=parse
    assert_metric 100000 panics_total function=parse signal=SIGSEGV
    release
    assert_equal 0 "$exit_status" "failed checks of $variant"
  done
}

passed() {
  ((SECONDS >= $1))
}

has_more_lines() {
  (($(wc -l <"$run_dir/err") > $1))
}

@test "a program that is stopped in the middle, for longer than a report may take, goes on" {
  local i
  manifest_recover 1000000
  start_metered "$(target crash-recover)" often
  deadline_seconds=60
  for i in 1 2 3; do
    wait_until has_more_lines $((i * 1000))
    kill -STOP "$pid"
    wait_until passed $((SECONDS + 2))
    kill -CONT "$pid"
  done
  wait_done
  scrape
  assert_truths
  release
  assert_equal 0 "$exit_status" 'failed checks'
}

@test "faults on four threads at once are recovered from" {
  local variant
  for variant in "${variants[@]}"; do
    manifest_recover 1000000
    start_metered "$(target "$variant")" threads
    deadline_seconds=60
    wait_done
    scrape
    assert_truths
    assert_metric 20000 panics_recovered_total function=parse
    release
    assert_equal 0 "$exit_status" "failed checks of $variant"
  done
}

@test "on an alternate stack without room nothing stays mapped" {
  manifest_recover 1000
  start_metered "$(target crash-recover)" cramped
  wait_done
  scrape
  assert_truths
  assert_metric 101 panics_recovered_total function=parse
  release
  assert_equal 0 "$exit_status" 'failed checks'
}

@test "a signal that was pending before a recovery is so behind it" {
  manifest_recover 1
  start_metered "$(target crash-recover)" pending
  wait_done
  scrape
  assert_truths
  release
  assert_equal 0 "$exit_status" 'failed checks'
}

@test "a child of vfork that ends does not end recovery in its parent" {
  manifest_recover 1
  start_metered "$(target crash-recover)" vforked-exit
  wait_done
  scrape
  assert_truths
  release
  assert_equal 0 "$exit_status" 'failed checks'
}

@test "after a recovery the program is tainted, and says so" {
  manifest_recover 7 reports
  start_metered "$(target crash-recover)" few
  wait_done
  scrape
  assert_truths
  assert_match tainted "$(curl -sS "http://$address/-/healthy")"
  assert_equal true "$(reasons | sort -u)" 'what the reports say'
  assert_equal 7 "$(reasons | wc -l)" 'reports, of faults that follow at once'
  assert_lines 7 "$run_dir/err" ' in parse \(crash-recover\), recovered, report in '
  release
  assert_equal 0 "$exit_status" 'failed checks'
}

@test "each refusal: the program dies as bare, and the report has the reason" {
  local variant
  manifest_recover 7 reports
  for variant in "${variants[@]}"; do
    refused "$variant" abort 'the program has aborted'
    refused "$variant" raise 'the program has raised the signal itself'
    refused "$variant" overflow 'the stack has overflowed, or the fault is close to its end'
    refused "$variant" library 'the fault is in the C library, the loader or callmeter'
    refused "$variant" callback 'the C library or the loader is on the way'
    refused "$variant" handler "the fault is in a signal's handler"
    refused "$variant" overwritten "the call's return address has been overwritten"
    refused "$variant" deep 'there are too many calls on the way'
    refused "$variant" blocked 'the program has the signal blocked'
    refused "$variant" frail 'the function has no recover'
    refused "$variant" untracked 'no tracked call was in progress'
    refused "$variant" exit 'the program is starting or ending'
    refused "$variant" end 'the program is starting or ending'
    refused "$variant" start 'the program is starting or ending'
  done
}

@test "what a C++ function on the way would clean up is a reason to refuse" {
  mkdir "$BATS_TEST_TMPDIR/reports"
  manifest_json '{"version": 1, "functions": [{"symbol": "careful(int)", "returns": "int", "recover": {"return": -1}}],
    "panics": {"report_dir": "'"$BATS_TEST_TMPDIR"'/reports"}}'
  refused crash-throws cleanup 'a C++ function on the way has something to clean up'
}

@test "max_recoveries is kept" {
  manifest_recover 1 reports
  recover_to_the_end crash-recover twice
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal $'max_recoveries is reached\ntrue' "$(reasons | sort)" 'what the reports say'
  manifest_recover 0 reports
  refused crash-recover bad 'max_recoveries is reached'
}

@test "while another thread's panic ends the program, nothing is recovered" {
  local recovered
  linger_seconds=30
  manifest_recover 1000000
  start_metered "$(target crash-recover)" meanwhile
  wait_until frail_is_dying
  recovered=$(metric panics_recovered_total function=parse)
  wait_until passed $((SECONDS + 3)) # who waits for the report of another panic does so for a second
  frail_is_dying || fail "$(grep -E '_panics' "$run_dir/metrics")"
  assert_metric "$recovered" panics_recovered_total function=parse
  kill -KILL "$pid"
  wait_exit
  assert_equal 137 "$exit_status" 'exit status'
}

@test "a fault in a child of vfork ends the child, and its parent goes on" {
  local variant
  for variant in "${variants[@]}"; do
    manifest_recover 1000000
    start_metered "$(target "$variant")" vforked
    wait_done
    scrape
    assert_truths
    assert_metric 1 panics_recovered_total function=parse
    assert_metric 2 panics_total function=parse signal=SIGSEGV
    release
    assert_equal 0 "$exit_status" "failed checks of $variant"
  done
}

# One panic of each thread that is not recovered from.
frail_is_dying() {
  scrape
  [[ $(metric panics_total function=frail signal=SIGSEGV) == 1 ]] &&
    (($(metric panics_total function=parse signal=SIGSEGV) == $(metric panics_recovered_total function=parse) + 1))
}
