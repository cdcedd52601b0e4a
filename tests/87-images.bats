# When a process is gone, and when it is not: its id does not tell.

load lib/helper
load lib/trees

@test "a process that was killed is gone before its parent asks for it" {
  meter_tree process-images zombie
  meter_tree process-images dies-after-vfork
}

@test "a process that execs has left its calls, whatever becomes of it then" {
  meter_tree process-images exec-lives
  meter_tree process-images exec-unseen
  meter_tree process-images exec-by-thread
  meter_tree process-images exec-thrice
}

@test "a process lives in any of its threads" {
  meter_tree process-images first-thread-ends
  meter_tree process-images threads-take-turns
  meter_tree process-images taken-for-dead
}

@test "a process whose parent is gone, or whose first tracked call is that of a child of vfork" {
  meter_tree process-images orphan
  meter_tree process-images vfork-before-notice
}

@test "processes of another PID namespace live and die as others do" {
  in_own_namespace
  meter_tree process-images namespace
  meter_tree process-images namespace-ends
}

@test "the id of a dead process is another one's" {
  in_own_namespace
  meter_tree process-images id-again
}

@test "with a state file, the next start knows how the first process left its calls" {
  local mode
  mkdir -m 755 "$BATS_TEST_TMPDIR/state"
  manifest_of inside
  for mode in exit-inside exec-inside return-beside; do
    start_metered CALLMETER_STATE_DIR="$BATS_TEST_TMPDIR/state" "$(target process-images)" "$mode" || true
    release
    assert_equal 0 "$exit_status" "exit status of $mode"
  done
  start_metered CALLMETER_STATE_DIR="$BATS_TEST_TMPDIR/state" "$(target process-images)" zombie
  wait_done
  scrape
  assert_metric 2 calls_abandoned_total function=inside reason=process_exit
  assert_metric 1 calls_abandoned_total function=inside reason=exec
  assert_metric 1 calls_abandoned_total function=inside reason=process_death
  assert_metric 0 calls_active function=inside
  release
}
