# Coroutines by swapcontext, suspended within tracked calls.

load lib/helper

with_each_variant() {
  local variant
  for variant in coroutines coroutines-O0 coroutines-clang; do
    [[ -x $targets/$variant ]] || continue
    meter_victim "$variant" "$1" || return 1
  done
}

@test "coroutines that finish out of order" {
  with_each_variant out-of-order
}

@test "coroutines that finish on another thread, after the first one is gone" {
  with_each_variant migrate
}

@test "coroutines that finish on another thread while the first one lives" {
  with_each_variant migrate-from-main
}

@test "coroutines that stay suspended are active" {
  with_each_variant suspended
}

@test "jumps within a coroutine's stack, over tracked calls" {
  meter_victim coroutine-jumps on-heap
  meter_victim coroutine-jumps in-frame
  meter_victim coroutine-jumps beside-a-sleeper
}

@test "coroutines whose threads are gone are carried on by others" {
  meter_victim coroutine-heirs all
}

@test "more coroutines than are kept in doubt come back, by a return and by a tail call" {
  meter_victim coroutine-doubts come-back
  meter_victim coroutine-doubts come-back-by-tail
}

@test "coroutines that never come back are forgotten, whether their stacks are used again or given up" {
  meter_victim coroutine-doubts forgotten
  meter_victim coroutine-doubts given-up
  meter_victim coroutine-doubts given-up-by-threads
}

@test "a coroutine whose stack follows that of its thread leaves none of the thread's calls" {
  meter_victim coroutine-doubts above
}
