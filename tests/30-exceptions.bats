# C++ exceptions through tracked frames, with each compiler and each library of unwinding.

load lib/helper

variants=(exceptions exceptions-O0 exceptions-static-libgcc exceptions-clang exceptions-llvm-unwind exceptions-nongnu-unwind)

with_each_variant() {
  local variant
  for variant in "${variants[@]}"; do
    [[ -x $targets/$variant ]] || continue
    meter_victim "$variant" "$1" || return 1
  done
}

@test "100 000 throws through two tracked frames and a cleanup" {
  with_each_variant throws
}

@test "caught by the direct caller of a tracked function" {
  with_each_variant direct
}

@test "caught and thrown again, or replaced by another, in a tracked function" {
  with_each_variant rethrown
}

@test "thrown and caught while another exception unwinds, and within a handler" {
  with_each_variant nested
}

@test "thrown through tracked functions that tail-call each other" {
  with_each_variant tail
}

@test "carried to another thread by exception_ptr" {
  with_each_variant across-threads
}

@test "thrown by eight threads at once" {
  with_each_variant parallel
}

@test "thrown by tracked constructors and virtual functions" {
  with_each_variant objects
}

@test "a backtrace goes through tracked frames" {
  with_each_variant backtrace
}

@test "an exception that meets noexcept ends the program as without callmeter" {
  local variant
  for variant in "${variants[@]}"; do
    [[ -x $targets/$variant ]] || continue
    meter_to_the_end "$variant" noexcept fragile middle leaf
  done
}

@test "an exception that nobody catches ends the program as without callmeter" {
  local variant
  for variant in "${variants[@]}"; do
    [[ -x $targets/$variant ]] || continue
    meter_to_the_end "$variant" uncaught tail_second tail_first leaf
  done
}
