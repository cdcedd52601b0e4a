# Each kind of function: a program that knows what it did, and a scrape that says the same.

load lib/helper
load lib/samples

@test "function: all outcomes, and why calls were abandoned" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "parse", "returns": "int", "error_when": "ret < 0", "throttled_when": "ret == 0"}]}'
  meter_samples kind-function
  assert_truths
  assert_metric 0 calls_total function=parse outcome=panic
  assert_metric 1 manifest_functions state=full
}

@test "operation: several threads, and one that is within it" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "store", "kind": "operation", "returns": "bool", "error_when": "ret == 0"}]}'
  run_bare "$(target kind-operation)"
  start_metered "$(target kind-operation)"
  wait_done
  scrape
  assert_truths
  assert_lines 5 "$run_dir/metrics" '^callmeter_calls_total\{.*kind="operation"'
  release
  assert_said_the_same
}

@test "message_processor: counts by the type of the message, renamed by a map" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "process_message", "kind": "message_processor", "returns": "int",
     "error_when": "ret < 0", "throttled_when": "ret > 0",
     "labels": {"type": {"arg": 2, "type": "int", "map": {"0": "order", "1": "refund", "2": "heartbeat"}}}}]}'
  meter_samples kind-message_processor
}

@test "loop: an interval between any two iterations of a thread, none between two threads, and a heartbeat" {
  manifest_json '{"version": 1, "functions": [{"symbol": "poll_once", "kind": "loop"}]}'
  meter_samples kind-loop
  assert_truths
}

@test "worker: items from a 32-bit argument, and the time of the last success" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "drain", "kind": "worker", "labels": {"queue": {"arg": 2, "type": "cstring"}},
     "items": {"arg": 3, "type": "uint32"}, "returns": "int", "error_when": "ret < 0"},
    {"symbol": "drain_rest", "kind": "worker", "items": {"arg": 3, "type": "uint32"}}]}'
  meter_samples kind-worker
}

@test "worker: a number of items that is negative is none, in calls that are timed and in those that are only counted" {
  local type mode
  for type in long int32; do
    for mode in full count; do
      manifest_json "{\"version\": 1, \"functions\": [
        {\"symbol\": \"take_in\", \"kind\": \"worker\", \"items\": {\"arg\": 1, \"type\": \"$type\"}, \"mode\": \"$mode\", \"trust_signature\": true}]}"
      meter_samples kind-worker signed
    done
  done
}

@test "batch_job: items from the result, and no success where there was none" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "import_rows", "kind": "batch_job", "returns": "int64", "error_when": "ret < 0", "items": {"ret": true}},
    {"symbol": "export_rows", "kind": "batch_job", "returns": "int64", "error_when": "ret < 0", "items": {"ret": true}},
    {"symbol": "load_bytes", "kind": "batch_job", "items": {"arg": 1, "type": "uint64"}}]}'
  meter_samples kind-batch_job
}

@test "batch_job: a result that is an error is no number of items" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "import_rows", "kind": "batch_job", "returns": "int64", "error_when": "ret > 0", "items": {"ret": true}}]}'
  start_metered "$(target kind-batch_job)"
  wait_done
  scrape
  assert_truth import_rows success=11 error=49
  assert_metric 0 items_total function=import_rows
  release
}

@test "worker and batch_job have buckets for long times, the others for short ones" {
  manifest_json '{"version": 1, "functions": [{"symbol": "drain", "kind": "worker"},
    {"symbol": "drain_rest", "kind": "operation"}]}'
  start_metered "$(target kind-worker)"
  wait_done
  scrape
  assert_metric 3000 call_duration_seconds_bucket function=drain le=7200.0
  assert_metric '(0 samples)' call_duration_seconds_bucket function=drain le=0.001
  assert_metric 0 call_duration_seconds_bucket function=drain_rest le=0.001
  assert_metric '(0 samples)' call_duration_seconds_bucket function=drain_rest le=7200.0
  assert_lines 9 "$run_dir/metrics" '^callmeter_call_duration_seconds_bucket\{.*function="drain"'
  assert_lines 19 "$run_dir/metrics" '^callmeter_call_duration_seconds_bucket\{.*function="drain_rest"'
  release
}

@test "dependency: errors by the kernel's reason, and throttled where it would have blocked" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "fetch", "kind": "dependency", "labels": {"dependency": "disk", "operation": "fetch"},
     "returns": "ssize_t", "throttled_when": "ret < 0 && errno in (EAGAIN, EWOULDBLOCK)", "error_when": "ret < 0",
     "error_type": "errno"}]}'
  meter_samples kind-dependency
}

@test "upstream: an endpoint from an argument, errors by the status returned" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "call_upstream", "kind": "upstream", "returns": "int",
     "labels": {"upstream": "warehouse", "endpoint": {"arg": 1, "type": "cstring"}},
     "throttled_when": "ret == 429", "error_when": "ret >= 500", "error_type": "ret"}]}'
  meter_samples kind-upstream
}

@test "query: a table from an argument" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "run_query", "kind": "query", "returns": "int", "error_when": "ret < 0",
     "labels": {"database": "shop", "table": {"arg": 2, "type": "cstring"}}}]}'
  meter_samples kind-query
}

@test "transaction: with the queries that it consists of" {
  manifest_json '{"version": 1, "defaults": {"max_label_values": 10}, "functions": [
    {"symbol": "transfer", "kind": "transaction", "labels": {"transaction": "transfer"}, "returns": "int",
     "error_when": "ret == -2", "throttled_when": "ret == -3"},
    {"symbol": "withdraw", "kind": "query", "labels": {"database": "bank", "table": "accounts"}, "returns": "int",
     "error_when": "ret == -2"},
    {"symbol": "deposit", "kind": "query", "labels": {"database": "bank", "table": "accounts"}, "returns": "int",
     "throttled_when": "ret == -3"}]}'
  meter_samples kind-transaction
}

@test "health_check: up or down by the last check, absent before the first" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "check_database", "kind": "health_check", "labels": {"dependency": "database"}, "error_when": "ret != 0"},
    {"symbol": "check_cache", "kind": "health_check", "labels": {"dependency": "cache"}, "error_when": "ret != 0"},
    {"symbol": "check_disk", "kind": "health_check", "labels": {"dependency": "disk"}, "error_when": "ret != 0"},
    {"symbol": "check_queue", "kind": "health_check", "labels": {"dependency": "queue"}, "error_when": "ret != 0"},
    {"symbol": "check_network", "kind": "health_check", "labels": {"dependency": "net"}, "error_when": "ret != 0"}]}'
  meter_samples kind-health_check
}

@test "http_handler: method and route from arguments, the code from the result" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "handle", "kind": "http_handler", "returns": "int", "throttled_when": "ret == 429", "error_when": "ret >= 500",
     "labels": {"method": {"arg": 1, "type": "cstring"}, "route": {"arg": 2, "type": "cstring"}, "code": {"ret": true}}}]}'
  meter_samples kind-http_handler
}

@test "promtool accepts what the kinds add" {
  command -v promtool >/dev/null || skip 'promtool is not installed'
  manifest_json '{"version": 1, "labels": {"team": "x"}, "functions": [
    {"symbol": "check_database", "kind": "health_check", "labels": {"dependency": "database"}, "error_when": "ret != 0",
     "error_type": "ret"},
    {"symbol": "check_cache", "kind": "loop"},
    {"symbol": "check_disk", "kind": "batch_job", "items": {"arg": 1, "type": "int"}, "sample_rate": 0.5}],
    "resources": [{"name": "slots", "in_use": {"value": 3}, "limit": {"value": 10}}]}'
  start_metered "$(target kind-health_check)"
  wait_done
  scrape
  promtool check metrics <"$run_dir/metrics"
  release
}
