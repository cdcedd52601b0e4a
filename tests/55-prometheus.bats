# What Prometheus itself says of the scrape.

load lib/helper

@test "promtool accepts the scrape" {
  command -v promtool >/dev/null || skip 'promtool is not installed'
  manifest_json '{"version": 1, "labels": {"team": "x"}, "functions": [{"symbol": "*", "object": "exceptions"},
    {"symbol": "no_such_function"}]}'
  start_metered "$(target exceptions)" throws
  wait_done
  scrape
  run promtool check metrics <"$run_dir/metrics"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  [[ $output != *error* ]] || fail "$output"
}

# query EXPRESSION: the value that the server answers, if it is one.
query() {
  curl -sS --max-time 5 --get --data-urlencode "query=$1" "http://$prometheus/api/v1/query" |
    jq -r 'if .data.result | length == 1 then .data.result[0].value[1] else empty end'
}

answers_query() {
  [[ $(query "$1" 2>/dev/null) == "$2" ]]
}

is_ready() {
  curl -sS --fail --max-time 5 "http://$prometheus/-/ready" >/dev/null 2>&1
}

# Prometheus takes no port 0: a port that nobody has is chosen, again if somebody was faster.
start_prometheus() {
  local port
  for _ in {1..5}; do
    port=$((20000 + RANDOM % 12000))
    prometheus=127.0.0.1:$port
    prometheus --config.file="$BATS_TEST_TMPDIR/prometheus.yml" --storage.tsdb.path="$BATS_TEST_TMPDIR/data" \
      --web.listen-address="$prometheus" >"$BATS_TEST_TMPDIR/prometheus.log" 2>&1 3>&- &
    prometheus_pid=$!
    started_pids+=("$prometheus_pid")
    wait_until is_ready_or_ended
    is_gone "$prometheus_pid" || return 0
  done
  fail "$(cat "$BATS_TEST_TMPDIR/prometheus.log")"
}

is_ready_or_ended() {
  is_gone "$prometheus_pid" || is_ready
}

@test "a Prometheus server scrapes it and answers a query with the exact value" {
  command -v prometheus >/dev/null || skip 'prometheus is not installed'
  manifest_of outer middle leaf
  start_metered "$(target exceptions)" throws
  wait_done
  cat >"$BATS_TEST_TMPDIR/prometheus.yml" <<END
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: victim
    static_configs: [{targets: ["$address"]}]
END
  start_prometheus
  wait_until answers_query 'up{job="victim"}' 1
  wait_until answers_query 'callmeter_calls_total{function="leaf",outcome="error"}' 50000
  assert_equal 50000 "$(query 'callmeter_calls_total{function="leaf",outcome="success"}')" 'successes of leaf'
  assert_equal 200000 "$(query 'sum(callmeter_calls_total{job="victim"}) - sum(callmeter_calls_total{function="outer"})')" 'calls'
  assert_equal 100000 "$(query 'callmeter_call_duration_seconds_count{function="middle"}')" 'durations of middle'
  assert_equal 100000 "$(query 'callmeter_call_duration_seconds_bucket{function="middle",le="+Inf"}')" 'bucket of middle'
  assert_equal 0 "$(query 'sum(callmeter_calls_active)')" 'active calls'
  kill "$prometheus_pid"
  wait_until is_gone "$prometheus_pid"
  release
  assert_equal 0 "$exit_status" 'exit status'
}
