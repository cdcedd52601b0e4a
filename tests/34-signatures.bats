# Any signature, any register, any depth.

load lib/helper

with_each_variant() {
  local variant
  for variant in signature signature-O0 signature-O3 signature-clang; do
    [[ -x $targets/$variant ]] || continue
    meter_victim "$variant" "$1" || return 1
  done
}

@test "structs by value and returned, from 8 bytes to 5 000" {
  with_each_variant aggregates
}

@test "long double, _Complex, __int128 and eleven arguments" {
  with_each_variant scalars
}

@test "40 variadic arguments of all types" {
  with_each_variant variadic
}

@test "AVX and AVX-512 vectors" {
  with_each_variant vectors
}

@test "nested functions, called directly and through their address" {
  local variant
  for variant in signature signature-O0 signature-O3; do
    meter_victim "$variant" nested
  done
}

@test "a caller that keeps values in every register finds them there" {
  meter_victim registers steady
  meter_victim registers-no-pie steady
}

@test "so does one whose call is the first of its thread" {
  meter_victim registers first-calls
}

@test "so does one whose call is judged by its result, by errno or by a float" {
  local properties
  for properties in '{"error_when": "ret < 0 && errno == EIO"}' '{"returns": "double", "error_when": "ret == 12345.5"}' \
    '{"returns": "float", "error_when": "ret == 12345.5 || errno == EPERM"}' '{"buckets": []}' \
    '{"returns": "uint64", "throttled_when": "ret in (1, 2, 3)", "error_when": "errno in (EIO, EPERM)"}'; do
    function_properties=$properties
    meter_victim registers steady
    meter_victim registers first-calls
  done
}

@test "so does one whose call is only counted" {
  function_properties='{"mode": "count"}'
  manifest_of idle idle_cet witness
  start_metered "$(target registers)" steady
  wait_done
  scrape
  assert_metric 1000 calls_total function=witness outcome=success
  assert_metric 1000 calls_total function=idle outcome=success
  release
  assert_equal 0 "$exit_status" 'exit status' || cat "$run_dir/out"
}

@test "recursion of 100 000 calls" {
  meter_victim recursion deep
  meter_victim recursion deep-again
}

@test "a tree of recursive calls" {
  meter_victim recursion tree
}

@test "mutual tail calls" {
  meter_victim recursion tail
}

@test "three million tail calls without a return: more than there are records" {
  meter_victim recursion endless-tail
}

@test "gdb sees the callers of a tracked call" {
  local trace
  command -v gdb >/dev/null || skip 'gdb is not here'
  manifest_of wait_inside wait_deep_inside
  start_metered "$(target greeter)" inside
  wait_done
  trace=$(gdb -nx -batch -ex 'set debuginfod enabled off' -ex bt -p "$pid" 2>&1) || skip "gdb cannot attach: $trace"
  assert_match 'wait_inside' "$trace"
  assert_match 'wait_deep_inside' "$trace"
  assert_match ' main \(' "$trace"
  release
  assert_equal 0 "$exit_status" 'exit status'
}
