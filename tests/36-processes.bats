# Forks and execs from within tracked calls: children count into the same numbers.

load lib/helper

@test "a tracked function that forks returns in both processes" {
  meter_victim processes fork-and-go-on
}

@test "the calls of children are counted after they are gone" {
  meter_victim processes fork-in-call
}

@test "a fork while other threads are in tracked calls" {
  meter_victim processes fork-among-threads
}

@test "vfork and exec within a tracked call" {
  meter_victim processes vfork
}

@test "posix_spawn and system within tracked calls" {
  meter_victim processes spawn
}

@test "what a child execs that a handler made by a bare vfork has the handler's mask" {
  meter_victim crash-leaves exec-borrowed
}

@test "forks while other threads are in sigaction, into namespaces where the child has its parent's process id" {
  meter_victim lock-heirs fork
}

@test "forks while other threads are in dlopen, into namespaces where the child has its parent's process id" {
  meter_victim lock-heirs loader
}

@test "a child forked while another thread is in system counts the fault of a signal that is ignored" {
  meter_victim lock-heirs spawning
}

@test "forks while another thread is in a panic, or lingers in it" {
  manifest_json '{"version": 1, "panics": {"linger_seconds": 1, "max_reports": 1000},
    "functions": [{"symbol": "fault_here", "name": "fault_here", "mode": "full"}]}'
  run_bare "$(target lock-heirs)" panic
  start_metered "$(target lock-heirs)" panic
  wait_done
  scrape
  assert_truths
  release
  assert_same_as_bare
}
