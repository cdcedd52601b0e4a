# What the program is told of its signals, and what becomes of it, is as bare.

load lib/helper

panics_of() {
  grep -cE '^callmeter\[[0-9]+\]: error: SIG' "$1" || true
}

# meter_end VICTIM MODE PANICS FUNCTION...: it says what it says bare, ends as it does, and so many panics are told of.
meter_end() {
  meter_to_the_end "$1" "$2" "${@:4}"
  assert_equal "$3" "$(panics_of "$run_dir/err")" "panics of $1 $2" || fail "$(cat "$run_dir/err")"
}

@test "a thread that has set no alternate stack has none" {
  meter_victim alternate-stacks asks
}

@test "a stack overflow comes to a handler whose program sets an alternate stack where there is none" {
  meter_end alternate-stacks overflow 1 descend
  meter_end alternate-stacks thread 1 descend
}

@test "handlers on alternate stacks with room for one frame: the same ends, and nothing is written below" {
  meter_end small-stacks 1024 12 fault # a fault there finds no room: the kernel ends the program
  meter_end small-stacks 3000 12 fault
  meter_end small-stacks 8192 14 fault
}
