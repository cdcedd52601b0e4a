# The main job: an unmodified redis-server, to the call.

load lib/helper

setup_file() {
  command -v redis-server redis-benchmark redis-cli >/dev/null || skip 'redis is not installed'
}

cli() {
  redis-cli -s "$socket" "$@"
}

answers() {
  [[ $(cli ping 2>/dev/null) == PONG ]]
}

# start_redis ARGUMENT...: on a Unix socket, under `callmeter run` with these arguments.
start_redis() {
  socket=$BATS_TEST_TMPDIR/redis.sock
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" \
    "$callmeter" run "$@" -l 127.0.0.1:0 -- redis-server --port 0 --unixsocket "$socket" --dir "$BATS_TEST_TMPDIR" \
    --save '' --appendonly no --daemonize no
  wait_for_address
  wait_until answers
}

benchmark() {
  redis-benchmark -s "$socket" -q "$@" >"$BATS_TEST_TMPDIR/benchmark" 2>&1 || fail "$(cat "$BATS_TEST_TMPDIR/benchmark")"
}

# INFO counts the calls that finished before it, and so not itself.
calls_in_commandstats() {
  cli info commandstats | tr -d '\r' | awk -F'[=,]' '/^cmdstat_/ { sum += $2 } END { printf "%d", sum }'
}

# The server's own statistics and the scrapes around it say the same.
assert_exact() {
  local before in_between after
  scrape
  before=$(calls_of call)
  in_between=$(calls_in_commandstats)
  scrape
  after=$(calls_of call)
  assert_equal "$before" "$in_between" 'calls in INFO commandstats, and scraped before it'
  assert_equal $((in_between + 1)) "$after" 'calls scraped after INFO, which is one itself'
  assert_metric 0 calls_active function=call
  ((before > $1)) || fail "only $before calls"
}

@test "redis under redis-benchmark: the calls scraped are those in INFO commandstats, to the call" {
  start_redis -p redis
  benchmark -n 10000 -t set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,mset
  assert_exact 100000
}

@test "the same, pipelined" {
  start_redis -p redis
  benchmark -n 20000 -P 16 -t set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,mset
  assert_exact 200000
}

@test "the same, with I/O threads, scripts and transactions" {
  local i
  manifest_of call
  start_redis -m "$manifest"
  for i in {1..50}; do
    printf 'MULTI\nSET a %s\nINCR a\nEXEC\n' "$i"
    printf 'EVAL "redis.call(%s) return redis.call(%s)" 0\n' "'incr','b'" "'get','b'"
    printf 'NOSUCHCOMMAND\nGET\n'
  done | cli >/dev/null
  benchmark -n 5000 -c 20 --threads 2 -t set,get
  assert_exact 10000
}

@test "errors of a command are no errors of the function, and durations are those of all calls" {
  start_redis -p redis
  benchmark -n 5000 -t set,get
  scrape
  assert_metric "$(calls_of call)" call_duration_seconds_count function=call
  assert_metric 0 calls_total function=call outcome=error
  assert_metric 0 calls_total function=call outcome=abandoned
}

@test "every function of the preset that redis has is tracked, and is called" {
  local name
  start_redis -p redis
  benchmark -n 1000 -t set,get
  wait_until serverCron_was_called
  for state in refused missing pending; do
    assert_metric 0 manifest_functions "state=$state"
  done
  for name in call processCommand readQueryFromClient writeToClient createClient beforeSleep serverCron; do
    (($(calls_of "$name") > 0)) || fail "$name was never called"
  done
}

serverCron_was_called() {
  scrape
  (($(calls_of serverCron) > 0))
}

@test "redis saves in a forked child and shuts down as ever" {
  start_redis -p redis
  benchmark -n 2000 -r 1000 -t set
  assert_match 'Background saving started' "$(cli bgsave)"
  wait_until has_saved
  cli shutdown nosave || true
  wait_exit
  assert_equal 0 "$exit_status" 'exit status'
  [ -s "$BATS_TEST_TMPDIR/dump.rdb" ]
  assert_lines 0 "$run_dir/err" 'error:'
}

has_saved() {
  [[ $(cli info persistence) == *rdb_bgsave_in_progress:0*rdb_last_bgsave_status:ok* && -s $BATS_TEST_TMPDIR/dump.rdb ]]
}

@test "redis that daemonizes runs as ever, and is served at the address that it had" {
  local child
  socket=$BATS_TEST_TMPDIR/redis.sock
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" \
    "$callmeter" run -p redis -l 127.0.0.1:0 -- \
    redis-server --port 0 --unixsocket "$socket" --dir "$BATS_TEST_TMPDIR" --save '' --daemonize yes \
    --pidfile "$BATS_TEST_TMPDIR/redis.pid"
  wait_for_address
  wait_exit
  assert_equal 0 "$exit_status" 'exit status of the process that was started'
  wait_until answers
  wait_until test -s "$BATS_TEST_TMPDIR/redis.pid"
  child=$(<"$BATS_TEST_TMPDIR/redis.pid")
  started_pids+=("$child")
  wait_until scrape
  benchmark -n 1000 -t set
  assert_exact 900
  cli shutdown nosave || true
  wait_until is_gone "$child"
}
