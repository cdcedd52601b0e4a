# How finished calls are judged, named and sorted.

load lib/helper

@test "conditions on every type that a function can return" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "answer_bool", "returns": "bool", "error_when": "ret == 1"},
    {"symbol": "answer_int", "error_when": "ret < 0", "throttled_when": "ret == 0"},
    {"symbol": "answer_uint32", "returns": "uint32", "error_when": "ret > 0x7fffffff"},
    {"symbol": "answer_int64", "returns": "int64", "error_when": "ret < -1000000000000"},
    {"symbol": "answer_uint64", "returns": "size_t", "error_when": "ret >= 18446744073709551615"},
    {"symbol": "answer_pointer", "returns": "pointer", "error_when": "ret == null"},
    {"symbol": "answer_float", "returns": "float", "error_when": "ret > 1.5"},
    {"symbol": "answer_double", "returns": "double", "error_when": "!(ret >= 0)"},
    {"symbol": "answer_errno", "throttled_when": "ret < 0 && errno in (EAGAIN, EWOULDBLOCK)",
     "error_when": "ret == -1 && !(errno == EINTR)"}]}'
  start_metered "$(target results)" all
  wait_done
  scrape
  assert_truth answer_bool success=200 error=100
  assert_truth answer_int success=100 error=100 throttled=100
  assert_truth answer_uint32 success=200 error=100
  assert_truth answer_int64 success=200 error=100
  assert_truth answer_uint64 success=200 error=100
  assert_truth answer_pointer success=200 error=100
  assert_truth answer_float success=200 error=100
  assert_truth answer_double success=200 error=100
  assert_truth answer_errno success=100 error=100 throttled=100
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "the program's errno is untouched by the judging of it" {
  function_properties='{"error_when": "ret < 0", "throttled_when": "ret < 0 && errno in (EAGAIN, EWOULDBLOCK)"}'
  meter_victim caller errors
}

@test "functions of libc: an IFUNC, the allocator, and what is called through the PLT or a pointer" {
  meter_victim caller libc
  meter_victim caller library
  meter_victim caller-bind-now library
  meter_victim caller-bind-now libc
}

@test "a comparator that libc calls back" {
  meter_victim signature callbacks
}

@test "a function of mode count is counted exactly and not timed" {
  function_properties='{"mode": "count"}'
  manifest_of greet
  start_metered "$(target greeter)" greet 5000
  wait_done
  scrape
  assert_metric 1 manifest_functions state=count
  assert_metric 5000 calls_total function=greet outcome=success
  assert_metric '(0 samples)' call_duration_seconds_count function=greet
  release
}

# With bounds a tenth of a decade apart: the program says of each call how long it lasted at least and at most.
@test "every duration is in the bucket of its size, and the sum is their total, however calls end and are judged" {
  local said
  manifest_json "$(jq -n '([range(0; 41) | pow(10; -6 + . / 10) * 1e10 | round / 1e10]) as $bounds | {version: 1, functions: [
    {symbol: "last_plain"}, {symbol: "last_judged", error_when: "ret < 0 && errno != 1"}, {symbol: "last_thrown"},
    {symbol: "last_labelled", labels: {name: {arg: 2, type: "cstring"}}}, {symbol: "last_looped", kind: "loop"}
    ] | map(. + {buckets: $bounds})}')"
  start_metered "$(target durations)"
  wait_done
  scrape
  assert_metric 5 manifest_functions state=full
  assert_truth last_judged success=240 error=240
  said=$(python3 "$root/tests/lib/durations.py" "$run_dir/metrics" "$manifest" <"$run_dir/out")
  assert_match '^6 histograms, 252 bounds, ([6-9][0-9]|100) % exact$' "$said"
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "an empty list of buckets keeps count and sum" {
  manifest_json '{"version": 1, "functions": [{"symbol": "greet", "buckets": []}]}'
  start_metered "$(target greeter)" greet 50
  wait_done
  scrape
  assert_metric 50 call_duration_seconds_count function=greet
  assert_metric 50 call_duration_seconds_bucket function=greet le=+Inf
  assert_lines 1 "$run_dir/metrics" '^callmeter_call_duration_seconds_bucket'
  release
}

@test "names, kinds, labels, constant labels and the namespace appear as the manifest says" {
  manifest_json '{"version": 1, "namespace": "shop", "labels": {"team": "a\"b\\c"}, "functions": [
    {"symbol": "greet", "name": "hello", "kind": "operation", "labels": {"route": "/ü"}}]}'
  start_metered "$(target greeter)" greet 4
  wait_done
  scrape
  assert_lines 1 "$run_dir/metrics" '^shop_calls_total\{.*function="hello".*outcome="success".*\} 4$'
  assert_lines 5 "$run_dir/metrics" '^shop_calls_total\{.*kind="operation".*\}'
  assert_lines 5 "$run_dir/metrics" '^shop_calls_total\{.*module="greeter".*\}'
  assert_lines 5 "$run_dir/metrics" '^shop_calls_total\{.*route="/ü".*\}'
  assert_lines 5 "$run_dir/metrics" '^shop_calls_total\{.*team="a\\"b\\\\c".*\}'
  release
}

@test "a glob tracks each function it matches, each seen from its first call on" {
  manifest_json '{"version": 1, "functions": [{"symbol": "answer_*"}]}'
  start_metered "$(target results)" all
  wait_done
  scrape
  assert_metric 9 manifest_functions state=full
  assert_metric 300 calls_total function=answer_int outcome=success
  assert_metric 300 calls_total function=answer_double outcome=success
  release
  assert_equal 0 "$exit_status" 'exit status'

  manifest_json '{"version": 1, "functions": [{"symbol": "*reet"}, {"symbol": "n[a]?"}]}'
  start_metered "$(target greeter)" greet 2
  wait_done
  scrape
  assert_metric 2 calls_total function=greet outcome=success
  assert_lines 0 "$run_dir/metrics" '^callmeter_calls_total\{.*function="nap"'
  release
}

@test "all five outcomes of a function that was never called are exported as 0" {
  manifest_of greet nap
  start_metered "$(target greeter)" greet 1
  wait_done
  scrape
  assert_truth nap
  assert_truth greet success=1
  release
}

@test "calls in progress show as active, and have no outcome yet" {
  manifest_of wait_inside wait_deep_inside
  start_metered "$(target greeter)" inside
  wait_done
  scrape
  assert_truth wait_inside active=1
  assert_truth wait_deep_inside active=1
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a function that is missing is told of, and the others are tracked" {
  manifest_of greet no_such_function
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth greet success=3
  assert_metric 1 manifest_functions state=full
  assert_metric 1 manifest_functions state=missing
  assert_metric 1 function_info symbol=no_such_function
  release
  assert_equal 0 "$exit_status" 'exit status'
}
