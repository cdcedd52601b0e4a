# What `panics` and `recover` of a manifest come to before anything has died: the series that are there from the start,
# and what `check` warns of.

bats_require_minimum_version 1.5.0

load lib/helper
load lib/samples

# meter MANIFEST: the greeter under it, scraped.
meter() {
  manifest_json "$1"
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
}

@test "each signal of the default five, and each named function with each of them, is exported from 0" {
  local signal
  meter '{"version": 1, "functions": [{"symbol": "greet"}, {"symbol": "na*"}, {"symbol": "no_such_function"}]}'
  assert_lines 5 "$run_dir/metrics" '^callmeter_fatal_signals_total\{'
  assert_lines 10 "$run_dir/metrics" '^callmeter_panics_total\{'
  for signal in SIGSEGV SIGBUS SIGFPE SIGILL SIGABRT; do
    assert_metric 0 fatal_signals_total signal=$signal
    assert_metric 0 panics_total function= module= signal=$signal
    assert_metric 0 panics_total function=greet module=greeter signal=$signal
  done
  assert_lines 0 "$run_dir/metrics" '^callmeter_panics_recovered_total'
}

@test "signals that the manifest names are those that are exported; none of them: nothing is" {
  meter '{"version": 1, "functions": [{"symbol": "greet"}], "panics": {"signals": ["SIGSYS", "SIGIO"]}}'
  assert_lines 2 "$run_dir/metrics" '^callmeter_fatal_signals_total\{'
  assert_metric 0 fatal_signals_total signal=SIGSYS
  assert_metric 0 fatal_signals_total signal=SIGIO
  assert_lines 4 "$run_dir/metrics" '^callmeter_panics_total\{'
  release
  meter '{"version": 1, "functions": [{"symbol": "greet", "returns": "int", "recover": {"return": 0}}], "panics": {"signals": []}}'
  assert_lines 0 "$run_dir/metrics" '^callmeter_(fatal_signals|panics)'
}

@test "functions that may recover count from 0, and a default rate does not sample them" {
  meter '{"version": 1, "defaults": {"sample_rate": 0.5}, "functions": [
    {"symbol": "greet", "returns": "int", "recover": {"return": -1}}, {"symbol": "nap"}]}'
  assert_lines 1 "$run_dir/metrics" '^callmeter_panics_recovered_total\{'
  assert_metric 0 panics_recovered_total function=greet module=greeter
  assert_metric 1 sample_interval_calls function=greet
  assert_metric 2 sample_interval_calls function=nap
}

is_over_budget() {
  scrape
  awk -v ratio="$(metric overhead_ratio)" 'BEGIN { exit !(ratio > 0.05) }'
}

@test "a budget does not sample functions that may recover" {
  require_target budget-loop
  manifest_json '{"version": 1, "overhead_budget": 0.01, "functions": [
    {"symbol": "hot", "returns": "uint64", "recover": {"return": 0}}]}'
  start_metered "$(target budget-loop)" loop
  wait_until said running
  wait_until is_over_budget
  assert_metric 1 sample_interval_calls function=hot
  kill -USR1 "$pid"
  wait_done
  scrape
  assert_metric 1 sample_interval_calls function=hot
  assert_metric "$(calls_of hot)" call_duration_seconds_count function=hot
}

@test "state errors are exported from 0 by reason" {
  local reason
  meter '{"version": 1, "functions": [{"symbol": "greet"}]}'
  assert_lines 6 "$run_dir/metrics" '^callmeter_state_errors_total\{'
  for reason in damaged version manifest unsafe busy io; do
    assert_metric 0 state_errors_total reason=$reason
  done
}

@test "promtool accepts a scrape with panics" {
  command -v promtool >/dev/null || skip 'promtool is not installed'
  meter '{"version": 1, "labels": {"team": "x"}, "functions": [{"symbol": "*", "object": "greeter"},
    {"symbol": "greet", "name": "recovering", "returns": "int"}]}'
  run promtool check metrics <"$run_dir/metrics"
  assert_equal '' "$output" "what promtool says"
}

@test "two entries for one place that recover differently are refused" {
  manifest_json '{"version": 1, "functions": [{"symbol": "greet", "returns": "int", "recover": {"return": -1}},
    {"symbol": "greet", "name": "again", "returns": "int", "recover": {"return": 0}},
    {"symbol": "greet", "name": "once_more", "returns": "int", "recover": {"return": -1}}]}'
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_metric 2 manifest_functions state=full
  assert_metric 1 manifest_functions state=refused
}

@test "check warns of what recovery leaves behind, for each function" {
  local text='recover leaves what the abandoned calls were doing as it is: locks stay held, memory and files are not given back, and data may be half changed'
  manifest_json '{"version": 1, "functions": [{"symbol": "greet", "returns": "int", "recover": {"return": -1}},
    {"symbol": "nap", "returns": "int", "recover": {"return": 0}}, {"symbol": "main"},
    {"symbol": "no_such_function", "recover": {"return": null}, "optional": true}]}'
  run -0 --separate-stderr "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_equal "callmeter: warning: greet: $text"$'\n'"callmeter: warning: nap: $text" "$stderr" 'warnings'
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target greeter)"
  assert_equal '' "$stderr" 'stderr with --json'
  assert_equal "greet: $text"$'\n'"nap: $text" "$(jq -r '.warnings[] | "\(.function): \(.text)"' <<<"$output")" 'warnings'
}

@test "check refuses to return nothing from a function that returns a value" {
  manifest_json '{"version": 1, "functions": [{"symbol": "nap", "recover": {"return": null}}]}'
  run -1 "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_match 'nap .*refused +recover: the function returns a value, of which the entry says nothing: int nap\(int milliseconds\)' "$output"
}

@test "check warns of recovery that cannot happen" {
  manifest_json '{"version": 1, "functions": [{"symbol": "greet", "returns": "int", "recover": {"return": -1}}], "panics": {"signals": []}}'
  run -0 --separate-stderr "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_match 'warning: recover has no effect: panics.signals is empty' "$stderr"
  manifest_json '{"version": 1, "functions": [{"symbol": "greet", "returns": "int", "recover": {"return": -1}}], "panics": {"max_recoveries": 0}}'
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target greeter)"
  jq -e '.warnings[1] == {"function": null, "text": "recover has no effect: panics.max_recoveries is 0"}' <<<"$output" || fail "$output"
  manifest_json '{"version": 1, "functions": [{"symbol": "setjmp", "returns": "int", "recover": {"return": 0}, "object": "libc.so.6"},
    {"symbol": "_setjmp", "returns": "int", "recover": {"return": 0}, "object": "libc.so.6"}]}'
  run --separate-stderr "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_match 'warning: _setjmp: recover has no effect here: the function'"'"'s calls are only counted' "$stderr"
}

@test "check of a manifest without recover has no warnings" {
  manifest_of greet
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target greeter)"
  jq -e '.warnings == []' <<<"$output" || fail "$output"
  assert_equal '' "$stderr" 'stderr'
}
