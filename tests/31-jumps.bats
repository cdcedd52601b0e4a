# Calls that are left by longjmp and its relatives: counted as abandoned, each exactly once.

load lib/helper

with_each_variant() {
  local variant
  for variant in longjmp longjmp-O0 longjmp-fortified longjmp-clang; do
    [[ -x $targets/$variant ]] || continue
    meter_victim "$variant" "$1" || return 1
    assert_reasons "$1 $variant" || return 1
  done
}

# All calls that are abandoned are so for a jump.
assert_reasons() {
  assert_equal "$(sum_of calls_total outcome=abandoned)" "$(sum_of calls_abandoned_total reason=longjmp)" "calls left by a jump in $1"
}

@test "longjmp over tracked frames" {
  with_each_variant longjmp
}

@test "_longjmp over tracked frames" {
  with_each_variant _longjmp
}

@test "siglongjmp over tracked frames, with the signal mask" {
  with_each_variant siglongjmp
}

@test "longjmp over tracked frames and out of all of them" {
  with_each_variant out-of-all
}

@test "longjmp over the deepest frames only" {
  with_each_variant from-the-middle
}

@test "siglongjmp out of a signal handler" {
  with_each_variant signal
}

@test "siglongjmp out of a signal handler on an alternate stack" {
  with_each_variant alternate-stack
}

@test "siglongjmp out of the handler of a fault which the program survives" {
  with_each_variant fault
}

@test "__builtin_longjmp, which no library sees, is found at the next tracked call" {
  with_each_variant builtin
}

@test "jumps that no library sees, and at once a call from the slot of the one that was left" {
  meter_victim jumps-past-libc at-once
  meter_victim jumps-past-libc builtin-at-once
}

@test "jumps that no library sees where the stack has grown since" {
  meter_victim jumps-past-libc deeper
}

@test "siglongjmp out of a signal handler on an alternate stack that lies above the thread's own" {
  meter_victim lane-heirs alternate-above
}
