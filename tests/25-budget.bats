# The budget: tracking is to take no more than a share of the CPU time.

load lib/helper
load lib/samples

loop_functions='"functions": [{"symbol": "hot"}, {"symbol": "rare"}]'

# compare A OPERATOR B: of numbers; what is no number compares to nothing.
compare() {
  awk -v a="$1" -v b="$3" "BEGIN { exit !(a ~ /^[0-9]/ && b ~ /^[0-9]/ && a + 0 $2 b + 0) }"
}

interval_of() {
  metric sample_interval_calls "function=$1"
}

is_ratio() {
  scrape
  compare "$(metric overhead_ratio)" "$1" "$2"
}

is_interval() {
  scrape
  compare "$(interval_of "$1")" "$2" "$3"
}

start_loop() {
  require_target budget-loop
  start_metered "$(target budget-loop)" "$1"
  wait_until said running
}

# The counts are exact, and the histogram stands for as many calls.
stop_loop() {
  kill -USR1 "$pid"
  wait_done
  scrape
  assert_tracked && assert_samples || return 1
  release
  assert_equal 0 "$exit_status" 'exit status' || { cat "$run_dir/out" >&2; return 1; }
}

@test "without a budget the overhead is estimated, and every call is timed" {
  manifest_json "{\"version\": 1, $loop_functions}"
  start_loop loop
  wait_until is_ratio '>' 0.5
  assert_metric 1 sample_interval_calls function=hot
  assert_metric 1 sample_interval_calls function=rare
  stop_loop
  assert_metric "$(calls_of hot)" call_duration_seconds_count function=hot
}

@test "a loop that would spend most of its time in being tracked comes under the budget: counts stay exact" {
  manifest_json "{\"version\": 1, \"overhead_budget\": 0.25, $loop_functions}"
  start_loop loop
  wait_until is_interval hot '>' 1
  wait_until is_ratio '<' 0.25
  is_interval hot '>' 1
  assert_metric 1 sample_interval_calls function=rare
  is_ratio '>' 0
  stop_loop
}

@test "a sample rate is the least that is passed over" {
  manifest_json '{"version": 1, "overhead_budget": 0.25,
    "functions": [{"symbol": "hot", "sample_rate": 0.0001}, {"symbol": "rare", "sample_rate": 0.5}]}'
  start_loop loop
  wait_until is_ratio '<' 0.25
  assert_metric 10000 sample_interval_calls function=hot
  assert_metric 2 sample_interval_calls function=rare
}

@test "what runs in a child of fork is part of the share, and comes under the budget too" {
  manifest_json "{\"version\": 1, $loop_functions}"
  start_loop child
  wait_until is_ratio '>' 0.5
  # The parent's own time, of which there is hardly any, would make it all.
  is_ratio '<' 0.999
  stop_loop

  manifest_json "{\"version\": 1, \"overhead_budget\": 0.25, $loop_functions}"
  start_loop child
  wait_until is_interval hot '>' 1
  wait_until is_ratio '<' 0.25
  stop_loop
}

@test "the time of children that come and go is not forgotten" {
  manifest_json "{\"version\": 1, $loop_functions}"
  start_loop children
  wait_until is_ratio '>' 0.4
  wait_until is_ratio '<' 0.97
  stop_loop
}

@test "once the work is done the intervals come down again" {
  local interval
  manifest_json "{\"version\": 1, \"overhead_budget\": 0.25, $loop_functions}"
  start_loop loop
  wait_until is_interval hot '>' 1
  stop_work
  interval=$(interval_of hot)
  # The turn in which the work ends may halve it; what follows are turns of idleness.
  wait_until is_interval hot '<' "$((interval * 2 / 5))"
  release
}

stop_work() {
  kill -USR1 "$pid"
  wait_done
  scrape
}

@test "a budget that counting alone exceeds is told once, and calls are timed all the same" {
  local interval timed
  manifest_json "{\"version\": 1, \"overhead_budget\": 0.0001, $loop_functions}"
  start_loop loop
  wait_until is_warned
  scrape
  interval=$(interval_of hot)
  timed=$(metric call_duration_seconds_sum function=hot)
  compare "$interval" '>' 100 || fail "the interval is $interval"
  wait_until has_timed_more_than "$timed"
  wait_for_turns 2
  stop_loop
  assert_lines 1 "$run_dir/err" '^callmeter\[[0-9]+\]: warn: overhead_budget 0.0001 cannot be kept: .*most of it those of hot; '
}

is_warned() {
  grep -q 'overhead_budget' "$run_dir/err"
}

# wait_for_turns N: the ratio is another one after each.
wait_for_turns() {
  local i ratio
  for ((i = 0; i < $1; i++)); do
    scrape
    ratio=$(metric overhead_ratio)
    wait_until has_other_ratio "$ratio"
  done
}

has_other_ratio() {
  scrape
  [[ $(metric overhead_ratio) != "$1" ]]
}

has_timed_more_than() {
  scrape
  compare "$(metric call_duration_seconds_sum function=hot)" '>' "$1"
}

@test "names of one place have one interval, and their calls cost once" {
  manifest_json '{"version": 1, "functions": [{"symbol": "hot", "name": "a"}, {"symbol": "hot", "name": "b"}]}'
  start_loop loop
  wait_until is_ratio '>' 0.5
  is_ratio '<' 0.999
}

### Redis

cli() {
  redis-cli -s "$socket" "$@"
}

answers() {
  [[ $(cli ping 2>/dev/null) == PONG ]]
}

# start_redis MANIFEST: the preset, and what this says.
start_redis() {
  command -v redis-server redis-benchmark redis-cli >/dev/null || skip 'redis is not installed'
  manifest_json "$1"
  socket=$BATS_TEST_TMPDIR/redis.sock
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" \
    "$callmeter" run -p redis -m "$manifest" -l 127.0.0.1:0 -- redis-server --port 0 --unixsocket "$socket" \
    --dir "$BATS_TEST_TMPDIR" --save '' --appendonly no --daemonize no
  wait_for_address
  wait_until answers
}

# Until `stop_load`, in rounds. Of commands that take some microseconds: the shortest ones, in their millions, would take
# a hundredth by being judged alone.
start_load() {
  (
    until [[ -e $BATS_TEST_TMPDIR/enough ]]; do
      redis-benchmark -s "$socket" -q -n 10000 -t lpush,lrange_100 >"$BATS_TEST_TMPDIR/benchmark" 2>&1 || exit
    done
  ) 3>&- &
  load_pid=$!
}

stop_load() {
  touch "$BATS_TEST_TMPDIR/enough"
  wait "$load_pid" || fail 'redis-benchmark failed:' "$(cat "$BATS_TEST_TMPDIR/benchmark")"
}

# INFO counts the calls that finished before it, and so not itself.
calls_in_commandstats() {
  cli info commandstats | tr -d '\r' | awk -F'[=,]' '/^cmdstat_/ { sum += $2 } END { printf "%d", sum }'
}

assert_redis_exact() {
  local before counted
  scrape
  before=$(calls_of call)
  counted=$(calls_in_commandstats)
  assert_equal "$before" "$counted" 'calls in INFO commandstats, and scraped before it'
  ((before > 10000)) || fail "only $before calls"
}

@test "redis comes under a budget of one hundredth, and its counts stay those of INFO commandstats" {
  start_redis '{"version": 1, "functions": []}'
  start_load
  wait_until is_ratio '>' 0.015
  assert_metric 1 sample_interval_calls function=call
  stop_load
  assert_redis_exact
  cli shutdown nosave || true
  wait_exit

  rm "$BATS_TEST_TMPDIR/enough"
  start_redis '{"version": 1, "overhead_budget": 0.01, "functions": []}'
  start_load
  wait_until is_interval call '>' 1
  wait_until is_ratio '<' 0.01
  is_interval call '>' 1
  stop_load
  assert_redis_exact
}
