# The least that must work. `bats tests/00-smoke.bats` says in seconds whether a build is worth testing.

load lib/helper

@test "the build has the preload object and the command" {
  [ -n "$shim" ]
  [ -x "$callmeter" ]
}

@test "a program under LD_PRELOAD serves its exact number of calls" {
  manifest_of greet
  start_metered "$(target greeter)" greet 12345
  wait_done
  scrape
  assert_truth greet success=12345
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_lines 1 "$run_dir/out" '^greeted 12345$'
}

@test "a program under callmeter run serves its exact number of calls" {
  manifest_of greet
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.1/port" "$callmeter" run -m "$manifest" -l 127.0.0.1:0 -- \
    "$(target greeter)" greet 77
  wait_for_address
  wait_done
  scrape
  assert_truth greet success=77
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "programs that are not PIE, stripped or calling through the PLT are metered as well" {
  local program
  manifest_of greet
  for program in greeter-no-pie greeter-stripped; do
    start_metered "$(target $program)" greet 10
    wait_done
    scrape
    assert_truth greet success=10
    release
    assert_equal 0 "$exit_status" 'exit status'
  done
  meter_victim caller library
}

@test "the command answers --version and --help" {
  run "$callmeter" --version
  assert_equal 0 "$status" 'exit status of --version'
  assert_match '[0-9]+\.[0-9]+' "$output"
  run "$callmeter" --help
  assert_equal 0 "$status" 'exit status of --help'
  assert_match 'run' "$output"
}
