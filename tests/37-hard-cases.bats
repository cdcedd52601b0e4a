# Hard cases that a review of the data plane found or feared.

load lib/helper

@test "a function that left a call by a jump of its own ends in a tail call" {
  meter_victim fault-tail-after-jump all
}

@test "what callmeter itself calls before main is not counted" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "pthread_mutex_lock", "object": "libc.so.6"}, {"symbol": "pthread_mutex_unlock", "object": "libc.so.6"},
    {"symbol": "pthread_create", "object": "libc.so.6"}, {"symbol": "calloc", "object": "libc.so.6"}]}'
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth pthread_mutex_lock success=0
  assert_truth pthread_mutex_unlock success=0
  assert_truth pthread_create success=0
  assert_truth calloc success=0
}

@test "threads cancelled asynchronously at any instruction" {
  meter_victim fault-async-cancel all
}

@test "a function in a segment that is both writable and executable" {
  meter_victim fault-writable-text all
}

@test "an atfork handler from before the shim makes tracked calls in the child" {
  meter_victim fault-atfork-before all
}

@test "coroutines whose stacks were given back to the kernel, on an unlimited stack" {
  ulimit -s unlimited || skip 'the stack cannot be unlimited here'
  meter_victim fault-unmapped-coroutine all
}

@test "a signal handler at each instruction of a tracked call makes tracked calls" {
  meter_victim fault-single-step calls
}

@test "a signal handler at each instruction of a tracked call forks" {
  meter_victim fault-single-step fork
}

@test "a signal handler at each instruction of a tracked call switches to a coroutine and back" {
  meter_victim fault-single-step swap
}

# No counts here: a jump between the instruction that counts a call and the one that links it in is one that nobody can see.
@test "a signal handler at each instruction of a tracked call jumps out, and the program is unharmed" {
  manifest_of middle
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    "$(target fault-single-step)" jump </dev/null
  assert_equal 0 "$status" 'exit status' || fail "$output"
}

@test "a program with 3 GiB of zeros, whose end is out of reach of its code" {
  require_target greeter-huge
  manifest_of greet
  start_metered "$(target greeter-huge)" greet 3
  scrape
  assert_metric 3 calls_total function=greet outcome=success
}

@test "a program that finds no /proc" {
  unshare -rm mount -t tmpfs none /proc 2>/dev/null || skip 'no user namespaces here'
  manifest_of greet
  start_metered CALLMETER_EXE=greeter unshare -rm sh -c 'mount -t tmpfs none /proc && exec "$0" "$@"' \
    "$(target greeter)" greet 3
  scrape
  assert_metric 3 calls_total function=greet outcome=success
}

@test "a library whose file is replaced between its loading and the shim's start is left as it is" {
  cp "$(target caller)" "$(target libvictim.so)" "$BATS_TEST_TMPDIR"
  cp "$(target liblate.so)" "$BATS_TEST_TMPDIR/new"
  run_bare "$BATS_TEST_TMPDIR/caller" library
  manifest_of library_sum late_add twice
  start_metered LD_PRELOAD="$shim $(target replace-file.so)" CALLMETER_EXE=caller \
    REPLACE="$BATS_TEST_TMPDIR/libvictim.so" REPLACE_BY="$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/caller" library
  wait_done
  scrape
  assert_metric 2000 calls_total function=twice outcome=success
  assert_match 'libvictim.so is left out: the file was replaced' "$(cat "$run_dir/err")"
  assert_metric 2 manifest_functions state=missing
}
