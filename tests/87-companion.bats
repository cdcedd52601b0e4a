# What the thread that serves does to a program: nothing that the program could see.

load lib/helper

@test "namespaces that only a process of one thread may enter" {
  meter_victim lonely namespaces
}

@test "a signal handler that forks while memory is being allocated" {
  meter_victim lonely handlers
}

@test "a signal handler that forks on a stack of its own" {
  meter_victim lonely handlers-on-their-stack
}

@test "a program that forks and makes threads before any constructor" {
  meter_victim lonely early
}

@test "a program that makes threads in the child, in a handler of fork" {
  meter_victim lonely atfork-handlers
}

@test "processes that end with their last own thread, with its status" {
  meter_victim lonely ends
}

# Another process serves, a moment later.
meter_confined() {
  scrape() {
    wait_until fetch_metrics
  }
  fetch_metrics() {
    curl -sS --fail --max-time 10 "http://$address/metrics" >"$run_dir/metrics"
  }
  meter_victim lonely "$1"
}

@test "a filter that kills all threads for what a server does" {
  meter_confined confined-threads
}

@test "a filter that kills a thread for making another one" {
  meter_confined confined-thread
}

@test "errno, the signal mask and pending signals around fork" {
  meter_victim lonely forked
}

@test "signals that wait, or come, while the thread is made are the program's own" {
  meter_victim signals-at-start pending
  assert_lines 1 "$run_dir/out" '^ShdPnd:.*[1-9a-f]'
  meter_victim signals-at-start storm
}

scrape_until_done() {
  scrape || true
  said_or_ended 'done'
}

# meter_scraped VICTIM MODE [COMMAND]...: the same while the endpoint is scraped all the time.
meter_scraped() {
  local victim=$1 mode=$2
  shift 2
  run_bare "$(target "$victim")" "$mode"
  assert_equal 0 "$bare_status" 'exit status of the bare program'
  manifest_of work
  start "$@" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" "$(target "$victim")" "$mode"
  wait_for_address
  wait_until scrape_until_done
  wait_until scrape && assert_truths || return 1
  release
  assert_same_as_bare
}

@test "a program that forks, with an allocator that knows nothing of threads" {
  meter_scraped fork-allocator forks
}

@test "files under all numbers that were ours, in a table of its own" {
  meter_scraped lonely files
}

@test "files under all numbers that were ours, in a shared table" {
  meter_scraped lonely files "$(target without-close-range)"
}

@test "a limit of 16 descriptors, all of which the program takes" {
  meter_scraped lonely few-files
}

@test "a limit of 16 descriptors, some of which are ours in a shared table" {
  meter_scraped lonely few-files-of-many "$(target without-close-range)"
}

@test "a server that keeps one capability, and changes its user by it" {
  ((EUID == 0)) || skip 'it takes root'
  chmod 755 "$BATS_TEST_TMPDIR"
  meter_victim keeps-capabilities
}

# Handlers, and what is taken for them.

@test "a stack of half a MiB" {
  meter_victim handler-or-not deep
}

@test "frames of handlers that are over, one by a jump, and calls above them" {
  meter_victim handler-or-not over-dead-frame
  meter_victim handler-or-not over-left-frame
  meter_victim handler-or-not recursion
}

@test "coroutines on stacks of 2 MiB and of 16 KiB" {
  meter_victim handler-or-not on-allocated-stack
  meter_victim handler-or-not on-mapped-stack
  meter_victim handler-or-not on-small-stack
}

@test "a handler that gives up a capability, and is then left" {
  meter_victim handler-or-not in-handler
}

@test "handlers that need a process of one thread, while memory is being allocated" {
  meter_victim handler-or-not while-memory-is-allocated
}

@test "the same while all threads allocate from one arena" {
  export MALLOC_ARENA_MAX=1
  meter_victim handler-or-not while-memory-is-allocated
}

# The process that was started is gone soon.
daemon_serves() {
  manifest_of work
  start_metered "$(target handler-or-not)" "$1"
  wait_until said 'done'
  wait_until scrape && assert_truths || return 1
  exec {input_fd}>&-
  unset 'input_fds[-1]'
}

@test "a daemon whose stack is deep, above the frame of a handler that is over, goes on serving" {
  daemon_serves deep-daemon
}

@test "a daemon that a handler has made serves, once it has left the handler" {
  daemon_serves handler-daemon
}
