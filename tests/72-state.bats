# State that survives the process: a service is killed, crashes or ends, and its next start goes on counting.

load lib/helper

setup() {
  state=$BATS_TEST_TMPDIR/state
  mkdir -m 700 "$state"
  manifest_json '{"version": 1, "functions": [
    {"symbol": "tick", "name": "tick", "returns": "int", "error_when": "ret < 0"},
    {"symbol": "visit", "name": "visit", "kind": "batch_job", "buckets": [1, 10], "returns": "int", "error_when": "ret < 0",
     "error_type": "errno", "items": {"ret": true}, "labels": {"who": {"arg": 1, "type": "cstring", "max_values": 5}}}]}'
}

teardown() {
  stop_all
  if [[ -n ${left_pid:-} ]]; then kill -KILL "$left_pid" 2>/dev/null || true; fi
  if [[ -n ${mounted:-} ]]; then umount -l "$mounted" || true; fi
}

# serve MODE [ARGUMENT]...: the service, with the state directory, until it is done; scraped.
serve() {
  start_metered CALLMETER_STATE_DIR="$state" "$(target state-service)" "$@" && wait_done && scrape
}

serve_and_end() {
  serve "$@" && release && assert_equal 0 "$exit_status" 'exit status'
}

die() {
  kill -KILL "$pid"
  wait_exit
  assert_equal 137 "$exit_status" 'exit status'
}

state_file() {
  local files=("$state"/state-service-*[0-9a-f].state)
  [[ -f ${files[0]} && ${#files[@]} == 1 ]] || fail "expected one state file:" "$(ls -l "$state")"
  printf '%s' "${files[0]}"
}

# Words of 8 bytes: the even ones of the loop's file are calls begun, the odd ones calls that came back.
sum_words() {
  od -An -v -t u8 -w16 "$1" | awk -v field="$2" '{ sum += $field } END { printf "%.0f", sum }'
}

# To the last digit.
last_success() {
  awk -v label="who=\"$1\"" '/^callmeter_last_success_timestamp_seconds\{/ && index($0, label) { print $NF }' \
    "$run_dir/metrics"
}

# small_file_system OPTION...: a file system in memory at the state directory.
small_file_system() {
  mount -t tmpfs -o "mode=700,$1" tmpfs "$state" 2>/dev/null || skip 'file systems cannot be mounted here'
  mounted=$state
}

edit_state() {
  "$build/tests/unit/edit_state" "$@"
}

assert_error() {
  assert_metric "$2" state_errors_total "reason=$1" || { cat "$run_dir/err" >&2; return 1; }
}

assert_no_errors() {
  local reason
  for reason in damaged version manifest unsafe busy io; do assert_error "$reason" 0 || return 1; done
}

@test "counts go on when the program ended and starts again" {
  serve_and_end crowd 3 100
  assert_truth tick success=300
  serve_and_end crowd 5 10
  assert_truth tick success=350
  serve_and_end visit
  assert_truth tick success=350
  assert_no_errors
}

@test "everything of a function goes on: histogram, items, errors by type, values of labels" {
  serve_and_end visit one two -three one
  local sum
  sum=$(metric call_duration_seconds_sum function=visit who=one)
  serve_and_end visit three -three two one
  assert_metric 3 calls_total function=visit who=one outcome=success
  assert_metric 2 calls_total function=visit who=two outcome=success
  assert_metric 1 calls_total function=visit who=three outcome=success
  assert_metric 2 calls_total function=visit who=-three outcome=error
  assert_metric 2 call_errors_total function=visit who=-three error_type=ENOENT
  assert_metric 9 items_total function=visit who=one
  assert_metric 3 call_duration_seconds_bucket function=visit who=one le=1.0
  assert_metric 3 call_duration_seconds_count function=visit who=one
  awk -v a="$sum" -v b="$(metric call_duration_seconds_sum function=visit who=one)" 'BEGIN { exit !(b > a && a > 0) }'
  assert_no_errors
}

@test "values of labels beyond the cap stay what they were" {
  serve_and_end visit a b c d e f g
  assert_metric 2 calls_total function=visit who=_other outcome=success
  serve_and_end visit g a h
  assert_metric 2 calls_total function=visit who=a outcome=success
  assert_metric 4 calls_total function=visit who=_other outcome=success
  [[ $(grep -c 'calls_total{function="visit".*outcome="success"' "$run_dir/metrics") == 6 ]]
}

@test "moments of the last run are shown as they were" {
  serve_and_end visit a
  local before after
  before=$(last_success a)
  serve_and_end visit b
  after=$(last_success a)
  awk -v a="$before" -v b="$after" -v c="$(last_success b)" \
    'BEGIN { exit !(a > 1.6e9 && b - a < 0.1 && a - b < 0.1 && c > b) }' || fail "before: $before, after: $after"
}

@test "a moment before the machine was started is shown as it was" {
  serve_and_end visit a
  local before after
  before=$(last_success a)
  # As if that run had been three years before, when this machine's clock had not started.
  edit_state "$(state_file)" age 100000000
  serve_and_end visit b
  after=$(last_success a)
  awk -v a="$before" -v b="$after" 'BEGIN { d = a - b - 1e8; exit !(d < 0.1 && d > -0.1) }' ||
    fail "before: $before, after: $after"
  serve_and_end visit a
  awk -v a="$(last_success a)" -v b="$(last_success b)" 'BEGIN { exit !(a > b) }'
}

@test "a kill in the middle of tight loops loses at most the call in progress of each thread" {
  local round success abandoned timed total_begun=0 total_ended=0
  for round in 1 2 3; do
    serve loop "$BATS_TEST_TMPDIR/tallies" 4
    die
    total_begun=$((total_begun + $(sum_words "$BATS_TEST_TMPDIR/tallies" 1)))
    total_ended=$((total_ended + $(sum_words "$BATS_TEST_TMPDIR/tallies" 2)))
    serve_and_end visit
    success=$(metric calls_total function=tick outcome=success)
    abandoned=$(metric calls_abandoned_total function=tick reason=process_death)
    ((total_begun - total_ended <= 4 * round))
    ((success >= total_ended && success + abandoned <= total_begun && success + abandoned >= total_ended)) ||
      fail "begun $total_begun, ended $total_ended, success $success, abandoned $abandoned"
    assert_truth tick "success=$success" "abandoned=$abandoned" 'error=*'
    assert_metric 0 calls_total function=tick outcome=error
    # A thread that dies between counting the duration and the outcome leaves an abandoned call that was timed.
    timed=$(metric call_duration_seconds_count function=tick)
    ((timed >= success && timed <= success + abandoned)) || fail "success $success, abandoned $abandoned, timed $timed"
  done
  assert_no_errors
}

@test "what was in progress when the program died is abandoned" {
  manifest_of wait_inside wait_deep_inside
  start_metered CALLMETER_STATE_DIR="$state" "$(target greeter)" inside
  wait_done
  scrape
  assert_metric 1 calls_active function=wait_inside
  die
  start_metered CALLMETER_STATE_DIR="$state" "$(target greeter)"
  wait_done
  scrape
  assert_truth wait_inside abandoned=1
  assert_truth wait_deep_inside abandoned=1
  assert_metric 1 calls_abandoned_total function=wait_inside reason=process_death
  release
}

@test "panics are counted by the next start" {
  local round
  manifest_of count_down
  for round in 1 2; do
    start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none CALLMETER_STATE_DIR="$state" \
      "$(target state-service)" crash 3
    wait_exit
    assert_equal 139 "$exit_status" 'exit status'
  done
  serve_and_end visit
  assert_truth count_down success=6 panic=2
  assert_metric 2 panics_total function=count_down signal=SIGSEGV
  assert_metric 2 fatal_signals_total signal=SIGSEGV
  assert_metric 0 fatal_signals_total signal=SIGABRT
}

@test "the manifest names the directory, the environment overrides it" {
  local other=$BATS_TEST_TMPDIR/other
  mkdir -m 700 "$other"
  manifest_json "$(jq -n --arg dir "$other" '{version: 1, functions: [{symbol: "tick"}], state: {dir: $dir}}')"
  start_metered "$(target state-service)" crowd 1 1
  wait_done
  release
  [[ -f $(echo "$other"/*.state) && -z $(ls "$state") ]]
  start_metered CALLMETER_STATE_DIR="$state" "$(target state-service)" crowd 1 1
  wait_done
  release
  state_file
}

@test "files that are no state are set aside, each with its reason" {
  local kind file
  serve_and_end crowd 1 7
  file=$(state_file)
  cp --sparse=always "$file" "$BATS_TEST_TMPDIR/good"
  while read -r kind reason; do
    rm -rf "$state"/*
    [[ $kind == symlink || $kind == fifo || $kind == folder ]] ||
      cp --sparse=always "$BATS_TEST_TMPDIR/good" "$file"
    case $kind in
      empty) truncate -s 0 "$file" ;;
      short) truncate -s 100 "$file" ;;
      cut) truncate -s 5000 "$file" ;;
      text) printf 'hello\n%.0s' {1..10000} >"$file" ;;
      older) edit_state "$file" version 1 ;;
      foreign) edit_state "$file" layout 12345 ;;
      blocks) edit_state "$file" block_count 4000000000 ;;
      far) edit_state "$file" blocks 9223372036854771712 ;;
      clock) edit_state "$file" seconds_per_tick 0 ;;
      symlink) cp "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/linked" && ln -s "$BATS_TEST_TMPDIR/linked" "$file" ;;
      hardlink) ln "$file" "$BATS_TEST_TMPDIR/hard.$RANDOM" ;;
      fifo) mkfifo "$file" ;;
      folder) mkdir "$file" ;;
      writable) chmod 666 "$file" ;;
      owner) chown 1 "$file" 2>/dev/null || continue ;;
    esac
    serve_and_end crowd 1 2 || fail "in: $kind"
    assert_truth tick success=2 || fail "in: $kind"
    assert_error "$reason" 1 || fail "in: $kind"
    assert_lines 1 "$run_dir/err" 'callmeter\[[0-9]+\]: warn: state: .*set aside' || fail "in: $kind"
    [[ -n $(ls -d "$file".bad-*) && -f $file ]] || fail "in: $kind" "$(ls -l "$state")"
    serve_and_end crowd 1 2
    assert_truth tick success=4 || fail "in: $kind, the second start"
  done <<'END'
empty damaged
short damaged
cut damaged
text damaged
older version
foreign manifest
blocks damaged
far damaged
clock damaged
symlink unsafe
hardlink unsafe
fifo unsafe
folder unsafe
writable unsafe
owner unsafe
END
}

@test "numbers that are one past what is allowed: the file is set aside, with nothing of it counted" {
  local name reason file
  serve_and_end crowd 1 7
  file=$(state_file)
  cp --sparse=always "$file" "$BATS_TEST_TMPDIR/good"
  while read -r name reason; do
    rm -rf "$state"/*
    cp --sparse=always "$BATS_TEST_TMPDIR/good" "$file"
    edit_state "$file" past "$name"
    serve_and_end crowd 1 2 || fail "in: $name"
    assert_truth tick success=2 || fail "in: $name"
    assert_error "$reason" 1 || fail "in: $name"
    [[ -n $(ls -d "$file".bad-*) ]] || fail "in: $name" "$(ls -l "$state")"
  done <<'END'
magic damaged
version version
header_bytes version
layout manifest
block_bytes damaged
block_count damaged
moment damaged
signal_count damaged
values_count damaged
values_capacity damaged
key_bytes damaged
string damaged
successes damaged
END
}

@test "a changed manifest starts from 0, and the old file is set aside" {
  serve_and_end crowd 1 7
  sed -i 's/"name": "tick"/"name": "tock"/' "$manifest"
  serve_and_end crowd 1 2
  assert_truth tock success=2
  assert_error manifest 1
  sed -i 's/"buckets": \[1, 10\]/"buckets": [1, 20]/' "$manifest"
  serve_and_end crowd 1 2
  assert_truth tock success=2
  # What does not change what is counted changes nothing.
  sed -i 's/"version": 1,/"version": 1, "namespace": "callmeter", "follow_exec": false,/' "$manifest"
  serve_and_end crowd 1 2
  assert_truth tock success=4
}

@test "of the files set aside, the last three are kept" {
  local file round
  serve_and_end crowd 1 1
  file=$(state_file)
  for round in 1 2 3 4 5; do
    echo "$round" >"$file"
    serve_and_end crowd 1 1
  done
  assert_equal 3 "$(ls -d "$file".bad-* | wc -l)" 'files set aside'
  assert_equal '3 4 5' "$(cat "$file".bad-* | xargs)" 'what they hold'
}

@test "two at once keep files of their own, and both go on" {
  serve_and_end crowd 1 100
  serve crowd 1 10
  assert_truth tick success=110
  local first=$pid first_run=$run_dir first_address=$address
  serve crowd 1 1
  assert_truth tick success=1
  assert_error busy 1
  assert_match "process id $first is using it" "$(<"$run_dir/err")"
  [[ -f $(echo "$state"/*.2.state) ]]
  release
  run_dir=$first_run address=$first_address
  scrape
  assert_truth tick success=110
  stop_all
  input_fds=()
  serve crowd 1 10
  assert_truth tick success=120
  serve crowd 1 1
  assert_truth tick success=2
}

@test "of several that start at the same moment one goes on, the others start from 0" {
  local i runs=() counts=()
  serve_and_end crowd 1 100
  for i in 1 2 3 4 5 6; do
    start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
      CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" CALLMETER_STATE_DIR="$state" \
      "$(target state-service)" crowd 1 1
    runs+=("$run_dir")
  done
  for run_dir in "${runs[@]}"; do
    port_file=$run_dir/port
    wait_for_address
    wait_until said 'done'
    scrape
    counts+=("$(metric calls_total function=tick outcome=success)")
  done
  assert_equal '1 1 1 1 1 101' "$(printf '%s\n' "${counts[@]}" | sort -n | xargs)" 'calls'
}

@test "who finds another program starting for too long keeps the counts in memory" {
  local lock_fd
  serve_and_end crowd 1 100
  exec {lock_fd}<>"$(echo "$state"/*.lock)"
  flock "$lock_fd"
  serve_and_end crowd 1 1
  exec {lock_fd}>&-
  assert_truth tick success=1
  assert_error busy 1
  assert_match 'has been starting for too long' "$(<"$run_dir/err")"
  serve_and_end crowd 1 1
  assert_truth tick success=101
}

@test "a child that outlives the program still uses the file, whatever it has closed" {
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none CALLMETER_STATE_DIR="$state" \
    "$(target state-service)" leave "$BATS_TEST_TMPDIR/child"
  wait_exit
  wait_until test -s "$BATS_TEST_TMPDIR/child"
  left_pid=$(<"$BATS_TEST_TMPDIR/child")
  serve_and_end visit
  assert_truth tick
  assert_error busy 1
  kill -KILL "$left_pid"
  wait_until is_gone "$left_pid"
  serve_and_end visit
  assert_truth tick success=2
}

@test "no descriptor is left open" {
  serve visit
  assert_equal '' "$(find "/proc/$pid/fd" -lname "$state*")" 'descriptors of the state directory'
  assert_equal '' "$(grep "$state.*deleted" "/proc/$pid/maps")" 'mappings of files that are gone'
  release
}

@test "what a start that was killed left behind is in nobody's way" {
  serve_and_end crowd 1 5
  cp "$(state_file)" "$(state_file).new"
  serve_and_end crowd 1 5
  assert_truth tick success=10
  [[ ! -e $(state_file).new ]]
}

@test "without a directory that is safe to write in, the counts are in memory" {
  chmod 777 "$state"
  serve_and_end crowd 1 3
  assert_truth tick success=3
  assert_error unsafe 1
  [[ -z $(ls "$state") ]]
  rmdir "$state"
  serve_and_end crowd 1 3
  assert_truth tick success=3
  assert_error io 1
  assert_match 'there is no such directory' "$(<"$run_dir/err")"
  echo >"$state"
  serve_and_end crowd 1 3
  assert_error io 1
}

@test "files can be read by the next start, whatever the umask was" {
  (umask 0777 && exec env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    CALLMETER_STATE_DIR="$state" "$(target state-service)" visit a) </dev/null 3>&-
  assert_equal 2 "$(find "$state" -type f -name 'state-service-*' | wc -l)" files
  assert_equal 600 "$(find "$state" -type f -printf '%m\n' | sort -u)" 'modes of the files'
}

@test "a read-only directory changes nothing for the program" {
  small_file_system ro
  serve_and_end crowd 2 3
  assert_truth tick success=6
  assert_error io 1
}

@test "a full disk at the start leaves the counts in memory" {
  small_file_system size=16k
  serve_and_end crowd 2 3
  assert_truth tick success=6
  assert_error io 1
  assert_match 'No space left on device' "$(<"$run_dir/err")"
  [[ -z $(ls "$state" | grep -v lock) ]]
}

@test "a disk that is full later costs threads their own counters, not one call" {
  small_file_system size=192k
  serve_and_end crowd 32 50
  assert_metric 1600 calls_total function=tick outcome=success
  assert_metric 0 calls_active function=tick
  assert_no_errors
  # The next start needs room beside the old file, which it does not touch before it can go on from it.
  serve_and_end crowd 1 1
  assert_truth tick success=1
  assert_error io 1
  mount -o remount,size=2m "$state"
  serve_and_end crowd 1 1
  assert_metric 1601 calls_total function=tick outcome=success
}

@test "a limit on the size of files leaves the counts in memory" {
  ulimit -S -f 64
  serve_and_end crowd 2 3
  ulimit -S -f unlimited
  assert_truth tick success=6
  assert_error io 1
}

@test "a file that is cut short while it is in use does not end the program" {
  serve_and_end crowd 4 100
  serve loop "$BATS_TEST_TMPDIR/tallies" 4
  truncate -s 0 "$(state_file)"
  scrape
  [[ $(metric state_errors_total reason=damaged) != 0 ]]
  wait_until grep -q 'the file was cut short' "$run_dir/err"
  scrape
  die
  serve_and_end crowd 1 2
  assert_truth tick success=2
}

@test "nor does it where no signals are to be caught" {
  manifest_json '{"version": 1, "panics": {"signals": []}, "functions": [{"symbol": "tick"}]}'
  serve loop "$BATS_TEST_TMPDIR/tallies" 4
  truncate -s 0 "$(state_file)"
  wait_until grep -q 'the file was cut short' "$run_dir/err"
  scrape
  die
}
