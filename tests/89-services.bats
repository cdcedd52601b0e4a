# Programs as systemd starts them: under a filter that ends the process for any system call that is not in
# @system-service. Nothing that callmeter does may be the first such call.

load lib/helper

start_metered() {
  local next=$BATS_TEST_TMPDIR/run.$((run_number + 1))
  start "$(target service-filter)" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" \
    CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_PORT_FILE="$next/port" "$@"
  wait_for_address
}

@test "counts are served, of threads and of forked processes as well" {
  meter_victim threads idle
  stop_all
  meter_victim processes fork-and-go-on
}

@test "the lines of the server's thread come to the log" {
  manifest_of greet
  start_metered CALLMETER_LOG=info "$(target greeter)" greet 3
  wait_until grep -q 'listening on' "$run_dir/err"
  scrape
  assert_metric 3 calls_total function=greet outcome=success
  release
  assert_equal 0 "$exit_status"
}

@test "libraries that come later are tracked" {
  manifest_json '{"version": 1, "functions": [{"symbol": "late_add", "object": "liblate.so", "name": "late_add"}]}'
  start_metered "$(target late)" open
  wait_done
  scrape
  assert_metric 100 calls_total function=late_add outcome=success
  release
  assert_equal 0 "$exit_status"
}

@test "strings, the state file, recovery and reports" {
  mkdir -m 700 "$BATS_TEST_TMPDIR/reports" "$BATS_TEST_TMPDIR/state"
  manifest_json '{"version": 1, "functions": [{"symbol": "parse", "returns": "int", "recover": {"return": -1}}],
    "panics": {"max_recoveries": 7, "report_dir": "'"$BATS_TEST_TMPDIR/reports"'"}, "state": {"dir": "'"$BATS_TEST_TMPDIR/state"'"}}'
  start_metered "$(target crash-recover)" few
  wait_done
  scrape
  assert_metric 7 panics_recovered_total function=parse
  release
  assert_equal 0 "$exit_status" 'failed checks'
  assert_equal 7 "$(find "$BATS_TEST_TMPDIR/reports" -name '*.json' | wc -l)" reports
}
