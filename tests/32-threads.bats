# Threads that come, go and are cancelled around tracked calls.

load lib/helper

# with_each_variant MODE [REASON]: for which calls are abandoned; a handler that is entered by a jump makes that two.
with_each_variant() {
  local variant
  for variant in threads threads-O0 threads-exceptions threads-clang; do
    [[ -x $targets/$variant ]] || continue
    meter_victim "$variant" "$1" || return 1
    (($# < 2)) || assert_only_reason "$2" || return 1
  done
}

@test "64 threads at once" {
  with_each_variant together
}

@test "6 000 short threads, each with its first call" {
  meter_victim threads storm
}

@test "pthread_exit through eleven tracked frames" {
  with_each_variant exits thread_exit
}

@test "pthread_exit through a cleanup handler that makes tracked calls" {
  with_each_variant exits-cleanly
}

@test "pthread_cancel of threads that wait in tracked calls" {
  with_each_variant cancelled
}

@test "asynchronous cancellation of threads that compute in tracked calls" {
  with_each_variant cancelled-asynchronously thread_exit
}

@test "threads with the smallest stack there is" {
  meter_victim threads small-stacks
}

@test "threads that are in a tracked call now are active" {
  meter_victim threads in-progress
}

@test "a program whose main thread leaves ends with its last own thread" {
  meter_to_the_end threads main-leaves work leave
}
