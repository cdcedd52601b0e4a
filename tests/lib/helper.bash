# shellcheck shell=bash
# What the behaviour tests share: starting programs bare and under the shim, scraping, and assertions that print both
# values. Everything lies in $BATS_TEST_TMPDIR, every port is ephemeral, nothing waits without a deadline.

root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
build=${BUILD:-$root/build}
targets=$build/tests/targets
# shellcheck disable=SC2034 # used by the tests
callmeter=$build/callmeter
shim=$(find "$build" -name libcallmeter.so -not -type d -print -quit 2>/dev/null)
deadline_seconds=60

if [[ -z $shim ]]; then
  printf 'no libcallmeter.so in %s: compile first, or name the build folder in BUILD\n' "$build" >&2
  exit 1
fi

ulimit -S -c 0
unset "${!CALLMETER_@}" LD_PRELOAD

# Debian's, whose modules scripts/packages installs. What a version manager puts in front of it costs more than the script.
if [[ -x /usr/bin/python3 ]]; then
  python3() { /usr/bin/python3 "$@"; }
fi

fail() {
  printf '%s\n' "$@" >&2
  return 1
}

# assert_equal EXPECTED ACTUAL [WHAT]
assert_equal() {
  [[ $1 == "$2" ]] && return 0
  fail "${3:-value}:" "  expected: $1" "  actual:   $2"
}

# assert_match REGEX TEXT
assert_match() {
  [[ $2 =~ $1 ]] && return 0
  fail "expected a match of: $1" "in: $2"
}

# assert_lines N FILE PATTERN: FILE has exactly N lines that match the extended regular expression.
assert_lines() {
  local count
  count=$(grep -cE -- "$3" "$2" || true)
  [[ $count == "$1" ]] && return 0
  fail "lines that match '$3': expected $1, found $count, in:" "$(grep -v '^#' "$2" | head -n 40)"
}

# Path of a victim program; the test is skipped if its compiler was not there.
target() {
  printf '%s' "$targets/$1"
}

require_target() {
  [[ -x $targets/$1 ]] || skip "$1 was not built"
}

# wait_until COMMAND...: until the command succeeds, or the deadline.
wait_until() {
  local end=$((SECONDS + deadline_seconds))
  until "$@" 2>/dev/null; do
    ((SECONDS < end)) || { fail "gave up after $deadline_seconds s waiting for: $*"; return 1; }
    sleep 0.02
  done
}

# A program whose first thread has left is a zombie that still has tasks.
is_gone() {
  local stat tasks
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  tasks=("/proc/$1/task/"*)
  [[ ${stat##*) } == [ZX]* && ${#tasks[@]} -le 1 ]]
}

### Programs

started_pids=()
input_fds=()
run_number=0

# start COMMAND...: in the background, with a standard input that stays open until `release`.
# Sets pid and run_dir, which holds out, err and, of a metered program, port and metrics.
start() {
  local fd
  run_dir=$BATS_TEST_TMPDIR/run.$((++run_number))
  mkdir -p "$run_dir"
  mkfifo "$run_dir/in"
  (
    for fd in "${input_fds[@]}"; do exec {fd}>&-; done
    exec "$@" <"$run_dir/in" >"$run_dir/out" 2>"$run_dir/err" 3>&-
  ) &
  pid=$!
  started_pids+=("$pid")
  exec {input_fd}>"$run_dir/in"
  input_fds+=("$input_fd")
  port_file=$run_dir/port
}

# start_metered [VARIABLE=VALUE]... COMMAND...: under the shim with the manifest in $manifest.
start_metered() {
  local next=$BATS_TEST_TMPDIR/run.$((run_number + 1))
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$next/port" "$@"
  wait_for_address
}

wait_for_address() {
  wait_until has_address_or_ended
  [[ -s $port_file ]] || fail 'the program has no endpoint; its standard error:' "$(cat "$run_dir/err")"
  address=$(<"$port_file")
}

has_address_or_ended() {
  [[ -s $port_file ]] || is_gone "$pid"
}

said() {
  grep -qx "$1" "$run_dir/out"
}

said_or_ended() {
  said "$1" || is_gone "$pid"
}

# Waits for the victim's line "done".
wait_done() {
  wait_until said_or_ended 'done'
  said 'done' || fail 'the program ended before its work was done:' "$(cat "$run_dir/out" "$run_dir/err")"
}

# Ends the wait of the program started last; sets exit_status.
release() {
  local last=$((${#input_fds[@]} - 1))
  local fd=${input_fds[$last]}
  exec {fd}>&-
  unset "input_fds[$last]"
  wait_exit
}

# Waits for the end of the program started last; sets exit_status.
wait_exit() {
  wait_until is_gone "$pid"
  exit_status=0
  wait "$pid" || exit_status=$?
}

# Ends everything that the test started. For teardown.
stop_all() {
  local each
  for each in "${started_pids[@]}"; do
    kill -KILL "$each" 2>/dev/null || true
    wait "$each" 2>/dev/null || true
  done
  started_pids=()
}

teardown() {
  stop_all
}

### Manifests

# manifest_of [FUNCTION]...: all to be tracked in full. $function_properties is a JSON object with further keys of each.
manifest_of() {
  manifest=$BATS_TEST_TMPDIR/manifest.json
  jq -n --argjson more "${function_properties:-{\}}" \
    '{version: 1, functions: [$ARGS.positional[] | {symbol: ., name: ., mode: "full"} + $more]}' \
    --args "$@" >"$manifest"
}

# manifest_json TEXT: the manifest as it is written.
manifest_json() {
  manifest=$BATS_TEST_TMPDIR/manifest.json
  printf '%s\n' "$1" >"$manifest"
}

# The keys that the parser knows, as its tables have them: one a line.
keys_of_parser() {
  grep -rhoE --include='*.c' '\{"[a-z_]+", true\}' "$root/symbols/manifest" | grep -oE '[a-z_]+' | grep -v '^true$' | sort -u
}

### Metrics

scrape() {
  curl -sS --fail --max-time 10 "http://$address/metrics" >"$run_dir/metrics"
}

# read_scrape ask=WHAT NAME [LABEL=VALUE]...: of the samples of the last scrape that have these labels. Without namespace.
read_scrape() {
  local ask=$1 name=$2 label wanted=''
  shift 2
  for label; do wanted+="${wanted:+$'\n'}${label%%=*}=\"${label#*=}\""; done
  NAME=callmeter_$name WANTED=$wanted awk -v "$ask" -f "$root/tests/lib/scrape.awk" <"$run_dir/metrics"
}

# metric NAME [LABEL=VALUE]...: the one value that there is.
metric() {
  read_scrape ask=one "$@"
}

# sum_of NAME [LABEL=VALUE]...: of all values; 0 if there is none.
sum_of() {
  read_scrape ask=sum "$@"
}

# assert_metric EXPECTED NAME [LABEL=VALUE]...
assert_metric() {
  local expected=$1 actual
  shift
  actual=$(metric "$@")
  [[ $actual == "$expected" ]] || fail_metric "$*" "$expected" "$actual"
}

# fail_metric METRIC EXPECTED ACTUAL
fail_metric() {
  fail "metric $1:" "  expected: $2" "  actual:   $3" \
    "$(grep -E '_function_info|_calls_total' "$run_dir/metrics" | grep -vE ' 0$' | head -40)"
}

# calls_of FUNCTION: finished calls of all outcomes.
calls_of() {
  local outcome sum=0 value
  for outcome in success error throttled panic abandoned; do
    value=$(metric calls_total "function=$1" "outcome=$outcome")
    sum=$((sum + value)) || return 1
  done
  printf '%s' "$sum"
}

# assert_truth FUNCTION [OUTCOME=N]...: what is not named is 0; "*" stands for any number.
assert_truth() {
  hold_to_truths <<<"truth $*"
}

# Each "truth" line that the program printed is what the scrape says.
assert_truths() {
  hold_to_truths <"$run_dir/out"
}

# The lines on standard input that begin with "truth" are what the scrape says.
hold_to_truths() {
  local found
  mapfile -t found < <(awk -f "$root/tests/lib/truths.awk" - "$run_dir/metrics")
  case ${#found[@]} in
    1) [[ ${found[0]} != 0 ]] || fail 'the program printed no truth:' "$(cat "$run_dir/out")" ;;
    3) fail_metric "${found[@]}" ;;
    *) fail 'the scrape cannot be read:' "$(cat "$run_dir/metrics")" ;;
  esac
}

# assert_only_reason REASON: some calls of the last scrape were abandoned, and all for this reason.
assert_only_reason() {
  local reasons
  reasons=$(sed -n 's/^callmeter_calls_abandoned_total{.*reason="\([a-z_]*\)"} [1-9].*/\1/p' "$run_dir/metrics" | sort -u)
  assert_equal "$1" "$reasons" 'reasons of abandoned calls'
}

# All functions of the manifest are tracked in full.
assert_all_full() {
  [[ $(metric manifest_functions state=full) == "$1" ]] && return 0
  fail "expected $1 functions in state full:" "$(grep -E 'function_info|manifest_functions' "$run_dir/metrics")"
}

### Whole tests

# The functions that a victim speaks of when it runs bare; also keeps what it said and its exit status.
run_bare() {
  bare_status=0
  "$@" </dev/null >"$BATS_TEST_TMPDIR/bare.out" 2>"$BATS_TEST_TMPDIR/bare.err" 3>&- || bare_status=$?
}

functions_of_bare() {
  awk '$1 == "truth" && !seen[$2]++ { print $2 }' "$BATS_TEST_TMPDIR/bare.out"
}

assert_same_as_bare() {
  assert_equal "$bare_status" "$exit_status" 'exit status' || { cat "$run_dir/err" >&2; return 1; }
  diff <(grep -v '^truth ' "$BATS_TEST_TMPDIR/bare.out") <(grep -v '^truth ' "$run_dir/out") ||
    fail 'the output differs from the bare run (above)'
}

# meter_victim NAME MODE: runs the victim bare to learn its functions, then with all of them tracked. Its counts are to
# be exact, its output and exit status unchanged.
meter_victim() {
  local functions
  require_target "$1"
  run_bare "$(target "$1")" "$2"
  assert_equal 0 "$bare_status" "exit status of the bare $1 $2" || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  mapfile -t functions < <(functions_of_bare)
  manifest_of "${functions[@]}"
  start_metered "$(target "$1")" "$2" && wait_done && scrape || return 1
  if ! assert_all_full "${#functions[@]}" || ! assert_truths; then
    fail "in: $1 $2"
    return 1
  fi
  release
  assert_same_as_bare || fail "in: $1 $2"
}

# meter_to_the_end NAME MODE FUNCTION...: for a victim that ends by itself, however it does: it ends the same way.
meter_to_the_end() {
  local name=$1 mode=$2
  require_target "$name"
  run_bare "$(target "$name")" "$mode"
  shift 2
  manifest_of "$@"
  start_metered "$(target "$name")" "$mode" || true
  wait_exit
  assert_same_as_bare || fail "in: $name $mode"
  # But for the line that tells of a panic.
  diff "$BATS_TEST_TMPDIR/bare.err" <(grep -v '^callmeter\[[0-9]*\]: error: SIG' "$run_dir/err") ||
    fail "standard error differs, in: $name $mode"
}
