# The endpoint: what it answers, and what it does when it cannot have its address.

bats_require_minimum_version 1.5.0

load lib/helper
load lib/samples

setup() {
  manifest_of greet
}

# code METHOD PATH
code() {
  local method=(-X "$1")
  [[ $1 == HEAD ]] && method=(--head)
  curl -sS --max-time 10 -o "$BATS_TEST_TMPDIR/body" -D "$BATS_TEST_TMPDIR/head" -w '%{http_code}' --path-as-is "${method[@]}" "http://$address$2"
}

header() {
  tr -d '\r' <"$BATS_TEST_TMPDIR/head" | awk -v name="$1" 'BEGIN { FS = ": " } tolower($1) == name { print $2 }'
}

start_greeter() {
  start_metered "$@" "$(target greeter)" greet 3
  wait_done
}

# assert_process_metric EXPECTED NAME
assert_process_metric() {
  assert_equal "$1" "$(sed -nE "s/^(callmeter_)?$2 //p" "$run_dir/metrics")" "$2"
}

# A port that nobody has right now.
free_port() {
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
  done
}

@test "GET /metrics is text 0.0.4, with one content type" {
  start_greeter
  assert_equal 200 "$(code GET /metrics)" code
  assert_match '^text/plain; ?version=0\.0\.4' "$(header content-type)"
  assert_lines 1 "$BATS_TEST_TMPDIR/head" '^[Cc]ontent-[Tt]ype:'
  [ -s "$BATS_TEST_TMPDIR/body" ]
}

@test "HEAD is GET without a body" {
  start_greeter
  assert_equal 200 "$(code HEAD /metrics)" code
  assert_match '^text/plain' "$(header content-type)"
  [ ! -s "$BATS_TEST_TMPDIR/body" ] || grep -q '^HTTP/' "$BATS_TEST_TMPDIR/body"
  assert_equal 200 "$(code HEAD /-/ready)" code
}

@test "the health and readiness checks answer 200" {
  start_greeter
  assert_equal 200 "$(code GET /-/healthy)" code
  assert_equal 200 "$(code GET /-/ready)" code
}

@test "paths that are not there are 404, methods that are not are 405" {
  local path
  start_greeter
  for path in /nothing /metrics/ /metricsx /-/ /%00 /../etc/passwd "/$(printf 'x%.0s' {1..2000})"; do
    assert_equal 404 "$(code GET "$path")" "code of $path"
  done
  assert_equal 405 "$(code POST /metrics)" 'code of POST'
  assert_match 'GET' "$(header allow)"
  assert_equal 405 "$(code DELETE /metrics)" 'code of DELETE'
  assert_equal 200 "$(code GET /metrics)" 'code afterwards'
}

@test "a query string is not part of the path" {
  start_greeter
  assert_equal 200 "$(code GET '/metrics?name%5B%5D=x')" code
}

@test "bytes that are no HTTP do no harm" {
  start_greeter
  exec 5<>"/dev/tcp/${address%:*}/${address##*:}"
  printf '\x00\x01\x02garbage\r\n\r\n' >&5
  exec 5>&-
  scrape
  assert_truth greet success=3
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "scrapes are counted by the code of their answer" {
  start_greeter
  code GET /metrics
  code GET /metrics
  scrape
  assert_metric 2 scrapes_total code=200
  awk -v v="$(metric scrape_duration_seconds)" 'BEGIN { exit !(v > 0 && v < 10) }'
}

@test "build_info and the standard process metrics are there" {
  start_greeter
  scrape
  assert_metric 1 build_info
  assert_lines 1 "$run_dir/metrics" '^(callmeter_)?process_cpu_seconds_total '
  assert_lines 1 "$run_dir/metrics" '^(callmeter_)?process_resident_memory_bytes [1-9]'
  assert_lines 1 "$run_dir/metrics" '^(callmeter_)?process_open_fds [1-9]'
  assert_lines 1 "$run_dir/metrics" '^(callmeter_)?process_start_time_seconds [1-9]'
}

@test "the process metrics are what /proc says, and of two limits the one that holds" {
  ulimit -S -n 200
  start_greeter
  scrape
  assert_process_metric 200 process_max_fds
  assert_process_metric "$(ls "/proc/$pid/fd" | wc -l)" process_open_fds
  assert_process_metric "$(ls "/proc/$pid/task" | wc -l)" process_threads
}

@test "no series is there twice, and each family is in one piece with its HELP and TYPE" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "exceptions"}]}'
  start_metered "$(target exceptions)" direct
  wait_done
  scrape
  assert_equal '' "$(grep -v '^#' "$run_dir/metrics" | sed 's/ [^ ]*$//' | sort | uniq -d)" 'series that are there twice'
  assert_equal '' "$(grep '^# TYPE' "$run_dir/metrics" | sort | uniq -d)" 'families that are there twice'
  assert_equal "$(grep -c '^# TYPE' "$run_dir/metrics")" "$(grep -c '^# HELP' "$run_dir/metrics")" 'HELP lines'
  assert_scrape 'series build_info 1'
}

@test "numbers are written with a point, whatever the program's locale" {
  local locales=$BATS_TEST_TMPDIR/locales
  mkdir "$locales"
  localedef -i de_DE -f UTF-8 "$locales/de_DE.UTF-8"
  run_bare env LOCPATH="$locales" LC_ALL=de_DE.UTF-8 "$(target locale)"
  assert_lines 1 "$BATS_TEST_TMPDIR/bare.out" '^half is 0,5$'
  manifest_json '{"version": 1, "overhead_budget": 0.25, "functions": [{"symbol": "halve", "buckets": [0.00015, 2.5]}],
    "resources": [{"name": "half", "in_use": {"global": "half", "type": "double"}, "limit": {"value": 1.25}}]}'
  start_metered LOCPATH="$locales" LC_ALL=de_DE.UTF-8 "$(target locale)"
  wait_done
  assert_lines 1 "$run_dir/out" '^half is 0,5$'
  scrape
  assert_metric 100 calls_total function=halve outcome=success
  assert_metric 100 call_duration_seconds_bucket function=halve le=2.5
  assert_metric 0.5 resource_in_use resource=half
  assert_metric 1.25 resource_limit resource=half
  assert_lines 0 "$run_dir/metrics" '(^[^#{ ]*| le="[^"]*"|\}) ?[^ ]*[0-9],[0-9]'
  assert_match '^[0-9.e-]+$' "$(metric call_duration_seconds_sum function=halve)"
  release
}

@test "the port file holds the address, whole, and nothing else is left beside it" {
  start_greeter
  assert_match '^127\.0\.0\.1:[1-9][0-9]*$' "$(cat "$port_file")"
  assert_equal 'err in out port' "$(cd "$run_dir" && echo *)" 'files'
}

@test "IPv6 and Unix sockets are served" {
  local socket=$BATS_TEST_TMPDIR/endpoint.sock
  start_greeter CALLMETER_LISTEN="unix:$socket"
  curl -sS --fail --max-time 10 --unix-socket "$socket" http://localhost/metrics >"$run_dir/metrics"
  assert_truth greet success=3
  release
  [[ -e /proc/net/if_inet6 && -s /proc/net/if_inet6 ]] || skip 'no IPv6 here'
  start_greeter CALLMETER_LISTEN='[::1]:0'
  scrape
  assert_truth greet success=3
}

@test "an address that means nothing: one line on stderr, and the program runs" {
  local listen
  for listen in nonsense 127.0.0.1 127.0.0.1:x 127.0.0.1:65536 '[::1' unix:; do
    run -0 --separate-stderr env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN="$listen" \
      "$(target greeter)" greet 1 </dev/null
    assert_match 'greeted 1' "$output"
    assert_equal 1 "${#stderr_lines[@]}" "lines on stderr with $listen"
    assert_match '^callmeter\[[0-9]+\]: (error|warn): ' "$stderr"
  done
}

@test "a port that is taken: the program runs, one warning, and it is served when the port is free" {
  local port holder
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$BATS_TEST_TMPDIR" >/dev/null 3>&- &
  holder=$!
  started_pids+=("$holder")
  wait_until grep -qi "0100007F:$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN="127.0.0.1:$port" "$(target greeter)" greet 3
  wait_done
  wait_until test -s "$run_dir/err"
  assert_lines 1 "$run_dir/err" '^callmeter\[[0-9]+\]: warn: '
  kill "$holder"
  address=127.0.0.1:$port
  wait_until scrape
  assert_truth greet success=3
  assert_lines 1 "$run_dir/err" ''
  release
  assert_equal 0 "$exit_status" 'exit status'
}

# lets_nothing_in TASK: all signals are blocked, but for SIGKILL and SIGSTOP, and the two that are libc's own.
lets_nothing_in() {
  [[ $(awk '$1 == "SigBlk:" { print $2 }' "$1/status") == fffffffe7ffbfeff ]]
}

@test "the endpoint's thread has every signal blocked while it waits" {
  local task
  start_greeter
  for task in "/proc/$pid/task/"*; do
    [[ ${task##*/} == "$pid" ]] || wait_until lets_nothing_in "$task"
  done
  assert_equal 2 "$(ls "/proc/$pid/task" | wc -l)" 'threads'
}

# holds_stderr: a thread of the program other than the first has its standard error open.
holds_stderr() {
  local task
  for task in "/proc/$pid/task/"*; do
    [[ ${task##*/} == "$pid" ]] || [[ -z $(find "$task/fd" -lname "$run_dir/err") ]] || return 0
  done
  return 1
}

@test "the endpoint's thread keeps nothing of the program's standard error, where it has written lines to it" {
  start_greeter CALLMETER_LOG=info
  wait_until grep -q 'listening on' "$run_dir/err"
  wait_until eval '! holds_stderr'
}

@test "an address that others can reach is warned of, a loopback one is not" {
  local each
  manifest_of greet
  for each in 127.0.0.1:0 127.9.9.9:0 localhost:0; do
    start_metered CALLMETER_LISTEN="$each" "$(target greeter)" greet 1
    wait_done
    assert_equal '' "$(<"$run_dir/err")" "what is said of $each"
    release
  done
  start_metered CALLMETER_LISTEN=0.0.0.0:0 "$(target greeter)" greet 1
  wait_done
  assert_lines 1 "$run_dir/err" '^callmeter\[[0-9]+\]: warn: .*0\.0\.0\.0'
}
