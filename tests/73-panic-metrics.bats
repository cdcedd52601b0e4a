# What a scrape says of a program that is about to die, and of one that has died before.

bats_require_minimum_version 1.5.0

load lib/helper

has_panicked() {
  scrape && grep -qE '^callmeter_fatal_signals_total\{.* [^0]' "$run_dir/metrics"
}

# die MODE MANIFEST_KEYS: the victim dies, and waits for this scrape; sets exit_status.
die() {
  manifest_json "{\"version\": 1, \"panics\": {\"linger_seconds\": 30}, $2}"
  start_metered "$(target panic-metrics)" "$1"
  wait_until has_panicked
  kill -TERM "$pid"
  wait_exit
}

# assert_counted N FAMILY: that many samples of the family are not 0.
assert_counted() {
  assert_lines "$1" "$run_dir/metrics" "^callmeter_$2\{.*\} [^0]"
}

setup() {
  require_target panic-metrics
}

@test "a panic is the innermost function's, under its name, module and signal" {
  die within '"functions": [{"symbol": "serve"}, {"symbol": "parse"}]'
  assert_equal 139 "$exit_status" 'exit status'
  assert_metric 1 fatal_signals_total signal=SIGSEGV
  assert_metric 1 panics_total function=parse module=panic-metrics signal=SIGSEGV
  assert_metric 1 calls_total function=parse outcome=panic
  assert_metric 0 calls_total function=serve outcome=panic
  assert_metric 1 calls_active function=serve
  assert_counted 1 fatal_signals_total
  assert_counted 1 panics_total
}

@test "a panic in no tracked function has an empty name" {
  die neither '"functions": [{"symbol": "serve"}, {"symbol": "parse"}]'
  assert_equal 134 "$exit_status" 'exit status'
  assert_metric 1 fatal_signals_total signal=SIGABRT
  assert_metric 1 panics_total function= module= signal=SIGABRT
  assert_counted 1 panics_total
}

@test "a function of a glob appears with its first panic, under every signal" {
  die outside '"functions": [{"symbol": "[ps]*e", "object": "panic-metrics"}]'
  assert_equal 134 "$exit_status" 'exit status'
  assert_metric 1 panics_total function=serve module=panic-metrics signal=SIGABRT
  assert_lines 5 "$run_dir/metrics" '^callmeter_panics_total\{function="serve"'
  assert_lines 10 "$run_dir/metrics" '^callmeter_panics_total\{'
}

@test "of two names of one place the first one in the manifest has the panics" {
  die outside '"functions": [{"symbol": "serve", "name": "first"}, {"symbol": "serve", "name": "second"}]'
  assert_metric 1 panics_total function=first signal=SIGABRT
  assert_lines 0 "$run_dir/metrics" '^callmeter_panics_total\{function="second"'
}

@test "with the manifest's namespace and constant labels" {
  die outside '"functions": [{"symbol": "serve"}], "labels": {"team": "x"}'
  assert_metric 1 panics_total function=serve signal=SIGABRT team=x
  assert_metric 1 fatal_signals_total signal=SIGABRT team=x
  command -v promtool >/dev/null || skip 'promtool is not installed'
  run promtool check metrics <"$run_dir/metrics"
  assert_equal '' "$output" 'what promtool says'
}
