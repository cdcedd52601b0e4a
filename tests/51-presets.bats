# The shipped manifests, each on an unmodified program of Debian, against what that program says of itself.

bats_require_minimum_version 1.5.0

load lib/helper
load lib/presets

teardown() {
  stop_nginx
  stop_postgres
  stop_all
}

### Listing and choosing

@test "presets: each is listed with what it shows, and is a manifest that some program of Debian has" {
  local file name
  run -0 "$callmeter" presets
  for file in "$root"/symbols/presets/*.json; do
    name=$(basename "$file" .json)
    assert_match "(^|"$'\n'")$name +[A-Za-z]" "$output"
  done
  assert_equal "$(find "$root/symbols/presets" -name '*.json' | wc -l)" "${#lines[@]}" 'presets listed'
}

# fitting PROGRAM: names of the presets that `-p auto` takes.
fitting() {
  "$callmeter" presets "$1" | awk '{ printf "%s%s", sep, $1; sep = " " }'
}

@test "auto: takes the presets of the program and of the libraries that it is loaded with" {
  require_program nginx curl sqlite3 redis-server memcached lua5.4
  assert_equal 'nginx openssl zlib' "$(fitting nginx)" 'for nginx'
  assert_equal 'libcurl openssl zlib' "$(fitting curl)" 'for curl'
  assert_equal 'sqlite3 zlib' "$(fitting sqlite3)" 'for sqlite3'
  assert_equal 'lua openssl redis' "$(fitting redis-server)" 'for redis-server, which has Lua in it'
  assert_equal 'libevent openssl' "$(fitting memcached)" 'for memcached'
  assert_equal 'lua' "$(fitting lua5.4)" 'for lua5.4'
}

@test "auto: a preset fits by name and by function, and libc-io if nothing else does" {
  require_program nginx
  assert_equal 'libc-io' "$(fitting dd)" 'for dd'
  cp /usr/bin/dd "$BATS_TEST_TMPDIR/nginx"
  assert_equal 'libc-io' "$(fitting "$BATS_TEST_TMPDIR/nginx")" 'for dd by the name of nginx'
  cp "$(command -v nginx)" "$BATS_TEST_TMPDIR/other"
  assert_equal 'openssl zlib' "$(fitting "$BATS_TEST_TMPDIR/other")" 'for nginx by another name'
  run -127 "$callmeter" check -p auto no-such-program
  run -127 "$callmeter" run -p auto -- no-such-program
}

@test "auto: stands in the place where it was given, and adds no preset that is named beside it" {
  require_program lua5.4
  manifest_json '{"version": 1, "functions": [{"symbol": "lua_settop"}, {"symbol": "luaL_newstate"}]}'
  run -0 --separate-stderr "$callmeter" check --json -p auto -m "$manifest" -p lua "$(command -v lua5.4)"
  assert_equal 1 "$(jq '[.functions[] | select(.symbol == "lua_load")] | length' <<<"$output")" 'lua_load'
  assert_equal '"lua_settop"' "$(jq '.functions[0].symbol' <<<"$output")" 'first function'
  run -0 --separate-stderr "$callmeter" check --json -p auto -m "$manifest" "$(command -v lua5.4)"
  assert_equal '"lua_settop"' "$(jq '.functions[-2].symbol' <<<"$output")" 'last function but one'
}

@test "run -p auto: metrics with no manifest at all" {
  require_program sqlite3
  start_with -p auto -- sqlite3 :memory:
  tell 'create table t(a);' 'insert into t values (1), (2);' 'select a from t;' '.print done'
  wait_until said 'done'
  scrape
  assert_all_tracked
  (($(total_of sqlite3_step) > 0)) || assert_total 'some' sqlite3_step
  release
  assert_equal 0 "$exit_status" 'exit status'
}

### nginx

@test "nginx: requests, error responses, upstream attempts and cache answers are those of its own log" {
  local code
  start_nginx -p nginx
  for _ in {1..10}; do fetch "$site" http://localhost/; done
  for _ in {1..3}; do fetch "$site" http://localhost/nothing; done
  for _ in {1..4}; do fetch "$site" http://localhost/up/; done
  for _ in {1..5}; do fetch "$site" http://localhost/cached/; done
  for _ in {1..2}; do fetch "$site" http://localhost/down/; done
  fetch "$site" http://localhost/ http://localhost/numbers.html -o /dev/null --compressed
  wait_until lines_logged 31
  scrape
  assert_all_tracked
  # stub_status is not in the log; it was asked for while nginx started
  assert_equal "$(logged '.')" "$(($(total_of ngx_http_free_request) - asked_for_status))" 'requests'
  assert_equal "$(logged '^site [45]')" "$(total_of ngx_http_special_response_handler)" 'error responses'
  for code in 404 502; do
    assert_total "$(logged "^site $code")" ngx_http_special_response_handler "code=$code"
  done
  assert_total "$(logged '^site .* HIT ')" ngx_http_file_cache_open result=hit
  assert_total "$(logged '^site .* MISS ')" ngx_http_file_cache_open result=miss
  assert_total 7 ngx_event_connect_peer
  assert_total 2 ngx_event_connect_peer outcome=error
  assert_total 5 ngx_http_upstream_free_round_robin_peer result=ok
  assert_total 2 ngx_http_upstream_free_round_robin_peer result=failed
}

asked_for_status=1

lines_logged() {
  [[ $(logged '.') == "$1" ]]
}

@test "nginx: the gauges of connections are those of its status page" {
  local i
  start_nginx -p nginx
  # connections that say nothing yet
  for i in 1 2 3; do
    mkfifo "$BATS_TEST_TMPDIR/held.$i"
    fetch "$site" telnet://localhost <>"$BATS_TEST_TMPDIR/held.$i" &
    started_pids+=($!)
  done
  wait_until status_has_active 4
  scrape
  # the page counts the connection that asks for it
  assert_metric "$(($(active_of_status) - 1))" resource_in_use resource=connections_active
}

active_of_status() {
  curl -s --max-time 10 --unix-socket "$site" http://localhost/status | awk '/^Active/ { print $3 }'
}

status_has_active() {
  [[ $(active_of_status) == "$1" ]]
}

### TLS

@test "openssl: handshakes of nginx are its TLS connections, those that failed the ones in its error log" {
  local failed
  start_nginx -p auto
  for _ in {1..5}; do fetch "$secure" https://localhost/; done
  fetch "$secure" https://localhost/ https://localhost/numbers.html -o /dev/null
  for _ in {1..3}; do fetch "$secure" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 https://localhost/ || true; done
  wait_until lines_logged 7
  wait_until handshakes_failed 3
  scrape
  assert_all_tracked
  assert_total "$(awk '/^secure/ { print $4 }' "$access" | sort -u | wc -l)" SSL_do_handshake outcome=success
  failed=$(grep -c 'SSL_do_handshake() failed' "$BATS_TEST_TMPDIR/nginx/error")
  assert_total "$failed" SSL_do_handshake outcome=error
  assert_total "$failed" SSL_get_error result=ssl
  assert_total 9 SSL_new
  (($(total_of SSL_write outcome=success) >= 7)) || assert_total '7 or more' SSL_write outcome=success
}

handshakes_failed() {
  [[ $(grep -c 'SSL_do_handshake() failed' "$BATS_TEST_TMPDIR/nginx/error") == "$1" ]]
}

### libcurl

@test "libcurl: transfers and their error codes are those that curl reports" {
  local codes
  start_nginx -p nginx
  # The last transfer reads curl's own standard input, so curl waits there.
  start_with -p libcurl -- curl -s --unix-socket "$site" -w '%{stderr}exit %{exitcode}\n' -o /dev/null \
    http://localhost/ -o /dev/null http://localhost/up/ -o /dev/null http://localhost/nothing -o /dev/null \
    nosuch://localhost/ -o /dev/null http://localhost:99999/ -o /dev/null file:///no/such/file -o /dev/null \
    file:///proc/self/fd/0
  codes=$run_dir/err
  wait_until has_lines 6 "$codes"
  wait_until is_reading
  assert_metric 0 manifest_functions state=refused
  assert_total "$(grep -cx 'exit 0' "$codes")" curl_easy_perform outcome=success
  assert_total "$(grep -cvx 'exit 0' "$codes")" curl_easy_perform outcome=error
  for code in 1 3 37; do
    assert_equal "$(grep -cx "exit $code" "$codes")" \
      "$(sum_of call_errors_total function=curl_easy_perform "error_type=$code")" "transfers that ended with $code"
  done
  assert_total 7 curl_multi_add_handle
  release
  assert_equal 0 "$exit_status" 'exit status'
}

has_lines() {
  [[ $(wc -l <"$2") == "$1" ]]
}

# The seventh transfer has begun.
is_reading() {
  scrape
  [[ $(metric calls_active function=curl_easy_perform) == 1 && $(total_of curl_multi_add_handle) == 7 ]]
}

### Databases

@test "sqlite3: statements and rows are those that SQLite traces, results those that it returned" {
  local trace=$BATS_TEST_TMPDIR/trace i
  require_program sqlite3
  start_with -p sqlite3 -- sqlite3 "$BATS_TEST_TMPDIR/db"
  tell 'create table t(a primary key, b);' '.print ready'
  wait_until said 'ready'
  scrape
  local before_step before_row
  before_step=$(total_of sqlite3_step) before_row=$(total_of sqlite3_step result=row)
  tell ".trace $trace --stmt --row"
  for i in {1..40}; do tell "insert into t values ($i, 'x');"; done
  tell 'select a from t where a > 15;' 'select count(*) from t;' 'begin; delete from t where a = 7; commit;'
  tell '.trace off'
  tell 'insert into t values (1, 2);' 'select nothing from t;' '.print done'
  wait_until said 'done'
  scrape
  assert_all_tracked
  # a step for each row, and one that ends each statement; then the constraint that failed
  assert_total $((before_step + $(wc -l <"$trace") + 1)) sqlite3_step
  assert_total $((before_row + 26)) sqlite3_step result=row
  assert_total 1 sqlite3_step result=constraint
  assert_total 1 sqlite3_step outcome=error
  assert_total 1 sqlite3_prepare_v2 outcome=error
  assert_equal 1 "$(sum_of call_errors_total function=sqlite3_prepare_v2 error_type=1)" 'errors with SQLITE_ERROR'
  assert_total 1 sqlite3_open_v2 "file=$BATS_TEST_TMPDIR/db"
  release
}

@test "sqlite3: a database that another connection has locked is seen as throttled" {
  local db=$BATS_TEST_TMPDIR/db
  require_program sqlite3
  start_with -p sqlite3 -- sqlite3 "$db"
  tell 'create table t(a);' 'begin exclusive;' '.print locked'
  wait_until said 'locked'
  start_with -p sqlite3 -- sqlite3 "$db"
  tell 'insert into t values (1);' 'insert into t values (2);' '.print done'
  wait_until said 'done'
  scrape
  assert_equal 2 "$(grep -c 'database is locked' "$run_dir/err")" 'statements that the shell says failed'
  assert_equal 2 "$(($(total_of sqlite3_step outcome=throttled) + $(total_of sqlite3_prepare_v2 outcome=throttled)))" \
    'throttled calls'
  release
}

@test "libpq: queries and results are those that the server logs" {
  local i
  start_postgres
  start_with -p libpq -- "$psql" -h "$postgres" -U postgres -X -q
  for i in {1..20}; do tell "select $i;"; done
  tell 'create temp table t(a int);' 'insert into t values (1);' 'select nothing;' 'select alsonothing;'
  seq 5000 >"$BATS_TEST_TMPDIR/rows"
  tell "\\copy t from '$BATS_TEST_TMPDIR/rows'" '\echo done'
  wait_until said 'done'
  scrape
  assert_all_tracked
  assert_total "$(($(grep -c 'LOG:  statement:' "$postgres_log") - attempts_to_connect))" PQsendQuery
  assert_total 20 PQmakeEmptyPGresult status=tuples_ok
  assert_total "$(grep -c 'ERROR:' "$postgres_log")" PQmakeEmptyPGresult status=message
  assert_total 1 PQmakeEmptyPGresult status=copy_in
  assert_metric "$(stat -c %s "$BATS_TEST_TMPDIR/rows")" items_total function=PQputCopyData
  assert_total 1 PQconnectStartParams
  assert_total 0 PQconnectPoll outcome=error
  release
}

# `select 0` of start_postgres: the one that got through
attempts_to_connect=1

@test "libpq: a connection that fails is an error, and the next one is not" {
  local connect
  require_program script
  start_postgres
  # script(1) gives psql a terminal: only there it goes on after a failed \connect
  connect="\\connect 'host=$BATS_TEST_TMPDIR user=postgres'"
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" \
    script -q -c "'$callmeter' run -l 127.0.0.1:0 -p auto -- '$psql' -h '$postgres' -U postgres -X -n" /dev/null
  wait_for_address
  tell "$connect" "$connect" 'select 1;'
  wait_total 1 PQsendQuery
  assert_total 2 PQconnectPoll outcome=error
  assert_total 1 PQconnectPoll outcome=success
  assert_total 3 PQconnectStartParams
  tell '\q'
}

### Others

@test "redis: each command, and expired keys, are those of INFO" {
  local socket=$BATS_TEST_TMPDIR/redis.sock cmd i
  require_program redis-server redis-cli
  start_with -p redis -- redis-server --port 0 --unixsocket "$socket" --dir "$BATS_TEST_TMPDIR" --save ''
  wait_until redis-cli -s "$socket" ping
  {
    for i in {1..30}; do printf 'set k%s 1 px 5\nget a\nincr n\n' "$i"; done
    for i in {1..7}; do printf 'lpush l %s\nhset h %s 1\nincrby n 2\nsadd s %s\n' "$i" "$i" "$i"; done
    printf 'multi\nincr n\nexec\nrename nothing n\n'
  } | redis-cli -s "$socket" >"$BATS_TEST_TMPDIR/replies"
  wait_until no_key_expires
  redis-cli -s "$socket" info all >"$BATS_TEST_TMPDIR/info"
  scrape
  assert_all_tracked
  for cmd in set get incr lpush hset incrby sadd multi exec rename; do
    assert_total "$(sed -n "s/^cmdstat_$cmd:calls=\([0-9]*\),.*/\1/p" "$BATS_TEST_TMPDIR/info")" "${cmd}Command"
  done
  assert_total "$(sed -n 's/^expired_keys:\([0-9]*\).*/\1/p' "$BATS_TEST_TMPDIR/info")" deleteExpiredKeyAndPropagate
  (($(sum_of loop_interval_seconds_count function=serverCron) > 0)) || fail 'no interval of serverCron'
  assert_total 0 call outcome=error
}

no_key_expires() {
  redis-cli -s "$socket" info keyspace | grep -q 'expires=0'
}

@test "libevent: the events of memcached that are there are the connections that it has open" {
  local before open before_open i
  require_program memcached curl
  memcached=$BATS_TEST_TMPDIR/memcached.sock
  start_with -p libevent -- memcached -u "$(id -un)" -U 0 -s "$memcached" -t 2
  wait_until memcached_has_open 0
  before=$events
  for i in {1..10}; do memcached_ask >/dev/null; done
  for i in {1..5}; do
    mkfifo "$BATS_TEST_TMPDIR/held.$i"
    curl -s --max-time 30 --unix-socket "$memcached" telnet://localhost <>"$BATS_TEST_TMPDIR/held.$i" 3>&- &
    started_pids+=($!)
  done
  wait_until memcached_has_open 5
  assert_equal 5 $((events - before)) 'events, for five more connections'
  assert_all_tracked
  # a timer that goes off each second is added and deleted too
  (($(total_of event_add) >= 15)) || assert_total '15 or more' event_add
  assert_total 0 event_add outcome=error
  assert_total 0 event_del outcome=error
}

# Also keeps the number of events that were added and not deleted. While memcached is at work on something else than the
# question, the two numbers may not belong together; so both are to stay as they are.
memcached_has_open() {
  local first second
  first=$(memcached_events) || return 1
  [[ $(memcached_ask | tr -d '\r' | awk '$2 == "curr_connections" { print $3 - 1 }') == "$1" ]] || return 1
  second=$(memcached_events)
  events=$first
  [[ $first == "$second" ]]
}

# The connection that asks is closed a moment after it is answered.
memcached_events() {
  scrape
  echo $(($(total_of event_add) - $(total_of event_del)))
}

# memcached ends the connection, so all is said.
memcached_ask() {
  printf 'stats\r\nquit\r\n' | curl -s --max-time 10 --unix-socket "$memcached" telnet://localhost
}

@test "lua: calls, errors, coroutines and chunks are those of the script" {
  require_program lua5.4
  cat >"$BATS_TEST_TMPDIR/script.lua" <<'END'
    local calls, errors = 0, 0
    for i = 1, 200 do
      calls = calls + 1
      if not pcall(function() if i % 8 == 0 then error("eight") end end) then errors = errors + 1 end
    end
    for i = 1, 9 do load("return " .. i)() end
    load("this is no Lua")
    local walk = coroutine.wrap(function() for i = 1, 6 do coroutine.yield(i) end end)
    for i = 1, 6 do walk() end
    collectgarbage()
    io.write("calls ", calls, "\nerrors ", errors, "\ndone\n") io.flush()
    io.read()
END
  start_with -p lua -- lua5.4 "$BATS_TEST_TMPDIR/script.lua"
  wait_done
  scrape
  assert_all_tracked
  assert_total "$(awk '/^calls/ { print $2 }' "$run_dir/out")" lua_pcallk
  assert_total "$(awk '/^errors/ { print $2 }' "$run_dir/out")" lua_pcallk outcome=error
  assert_total "$(awk '/^errors/ { print $2 }' "$run_dir/out")" lua_error
  assert_equal 25 "$(sum_of call_errors_total function=lua_pcallk error_type=2)" 'errors of the run'
  assert_total 6 lua_resume outcome=success
  assert_total 11 lua_load # the script, ten chunks
  assert_total 1 lua_load outcome=error
  assert_total 1 lua_gc what=collect
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "zlib: streams, blocks and errors are those of a Python program" {
  require_program /usr/bin/python3
  cat >"$BATS_TEST_TMPDIR/pack.py" <<'END'
import sys, zlib
for _ in range(120):
    assert zlib.decompress(zlib.compress(b"x" * 1000)) == b"x" * 1000
for _ in range(6):
    try: zlib.decompress(b"garbage")
    except zlib.error: pass
for _ in range(300):
    zlib.crc32(b"abc")
print("done", flush=True)
sys.stdin.read()
END
  start_with -p zlib -- /usr/bin/python3 -S -E "$BATS_TEST_TMPDIR/pack.py"
  wait_done
  scrape
  assert_all_tracked
  assert_total 120 deflateEnd
  assert_total 120 deflate outcome=success
  assert_total 126 inflateInit2_
  assert_total 120 inflate outcome=success
  assert_total 6 inflate outcome=error
  assert_equal 6 "$(sum_of call_errors_total function=inflate error_type=-3)" 'errors with Z_DATA_ERROR'
  assert_total 300 crc32
  release
  assert_equal 0 "$exit_status" 'exit status'
}

### libc

@test "libc-io: reads and writes of dd are the records that it says" {
  local records
  start_with -p libc-io -- dd bs=4096 iflag=fullblock of=/dev/null
  head -c $((4096 * 150)) /dev/zero >&"$input_fd"
  wait_total 150 write
  assert_all_tracked
  assert_total 0 write outcome=error
  release
  assert_equal 0 "$exit_status" 'exit status'
  records=$(sed -n 's/^\([0-9]*\)+0 records out$/\1/p' "$run_dir/err")
  assert_equal 150 "$records" 'records out'
}

# system_calls NAME...: of the command in "${bare[@]}" on the standard input, as strace counts them.
system_calls() {
  strace -f -qq -o "$BATS_TEST_TMPDIR/strace" -e "trace=$1" "${bare[@]}" >/dev/null 2>&1 || true
  grep -c "$2" "$BATS_TEST_TMPDIR/strace" || true
}

@test "libc-io: what sqlite3 writes and syncs is what strace counts without callmeter" {
  local i bare script=$BATS_TEST_TMPDIR/script synced
  require_program sqlite3 strace
  for i in {1..5}; do printf 'create table t%d(a); insert into t%d values (1);\n' "$i" "$i"; done >"$script"
  bare=(sqlite3 "$BATS_TEST_TMPDIR/bare.db")
  synced=$(system_calls fdatasync,fsync 'sync(' <"$script")
  ((synced > 0)) || skip 'strace cannot trace here'
  rm "$BATS_TEST_TMPDIR/bare.db"
  start_with -p libc-io -- sqlite3 "$BATS_TEST_TMPDIR/metered.db"
  cat "$script" >&"$input_fd"
  tell '.print done'
  wait_until said 'done'
  scrape
  assert_equal "$synced" $(($(total_of fdatasync) + $(total_of fsync))) 'fdatasync and fsync'
  assert_total "$(system_calls pwrite64 'pwrite64(' <"$script")" pwrite64
  release
}

@test "libc-io: connections that are refused are errors by errno, as strace has them" {
  local bare refused
  require_program curl strace
  # The last transfer reads curl's own standard input, so curl waits there.
  bare=(curl -s --unix-socket "$BATS_TEST_TMPDIR/nobody" http://localhost/ http://localhost/ file:///proc/self/fd/0)
  refused=$(system_calls connect 'ENOENT' </dev/null)
  ((refused > 0)) || skip 'strace cannot trace here'
  start_with -p libc-io -- "${bare[@]}"
  wait_total "$refused" connect
  assert_equal "$refused" "$(sum_of call_errors_total function=connect error_type=ENOENT)" 'refused'
  assert_total 0 connect outcome=success
  release
}

# What glibc's own libmemusage.so counts of a bare run, as the difference between a longer and a shorter run.
memusage() {
  LD_PRELOAD=libmemusage.so sqlite3 :memory: <"$2" 2>&1 >/dev/null | tr -d '\033' | awk -v what="$1|" \
    '{ sub(/^\[[0-9;]*m */, "") } index($1, what) == 1 { sub(/^[^m]*m/, "", $2); print $2; exit }'
}

@test "malloc: calls of malloc and free are those that glibc's memusage counts" {
  local n name i
  local -A metered
  require_program sqlite3
  for n in 100 400; do
    for ((i = 0; i < n; i++)); do echo "select $i, 'abc' || $i;"; done >"$BATS_TEST_TMPDIR/$n"
    start_with -p malloc -- sqlite3 :memory:
    cat "$BATS_TEST_TMPDIR/$n" >&"$input_fd"
    tell '.print done'
    wait_until said 'done'
    scrape
    assert_metric 0 manifest_functions state=refused
    for name in malloc free; do metered[$name.$n]=$(metric calls_total "function=$name" outcome=success); done
    release
  done
  for name in malloc free; do
    n=$(($(memusage "$name" "$BATS_TEST_TMPDIR/400") - $(memusage "$name" "$BATS_TEST_TMPDIR/100")))
    ((n > 1000)) || fail "memusage counts $n calls of $name"
    assert_equal "$n" $((metered[$name.400] - metered[$name.100])) "calls of $name in 300 statements"
  done
}
