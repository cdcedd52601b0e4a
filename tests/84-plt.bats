# Functions whose text cannot be written, because a policy denies memory that is written and executable: their calls are
# counted where other objects import them, what that does not see is said, and the program is as it was.

load lib/helper

# start_confined WAY [VARIABLE=VALUE]... COMMAND...: as start_metered, but nothing that was written may become code.
start_confined() {
  local way=$1 next=$BATS_TEST_TMPDIR/run.$((run_number + 1))
  shift
  start "$(target without-exec)" "$way" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" \
    CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_PORT_FILE="$next/port" "$@"
  wait_for_address
}

# reason_of FUNCTION
reason_of() {
  sed -n "s/^callmeter_function_info{function=\"$1\",.*reason=\"\(.*\)\"} 1$/\1/p" "$run_dir/metrics"
}

# meter_imports VICTIM MODE: all that the bare victim speaks of is tracked at its imports, and exact.
meter_imports() {
  local functions
  require_target "$1"
  run_bare "$(target "$1")" "$2"
  assert_equal 0 "$bare_status" "exit status of the bare $1 $2" || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  mapfile -t functions < <(functions_of_bare)
  function_properties='{"error_when": "ret < 0"}' manifest_of "${functions[@]}"
  start_confined mprotect "$(target "$1")" "$2" && wait_done && scrape || return 1
  if ! assert_all_full "${#functions[@]}" || ! assert_truths; then
    fail "in: $1 $2"
    return 1
  fi
  release
  assert_same_as_bare || fail "in: $1 $2"
}

@test "calls through a PLT that is bound lazily, and through the library's own" {
  meter_imports imports-lazy calls
}

@test "calls through a PLT that is bound at the start, under full RELRO" {
  meter_imports imports-now calls
}

@test "calls of a program at a fixed address" {
  meter_imports imports-no-pie calls
}

@test "calls without a PLT" {
  meter_imports imports-no-plt calls
  stop_all
  meter_imports imports-no-plt-O0 calls
  stop_all
  meter_imports imports-no-plt-clang calls
}

@test "calls by an address that is held in a register" {
  meter_imports imports-no-plt registers
  stop_all
  meter_imports imports-lazy registers
}

@test "each version of a symbol has its own calls" {
  meter_imports imports-lazy versions
  stop_all
  meter_imports imports-now versions
}

@test "calls of an IFUNC" {
  meter_imports imports-lazy ifunc
  stop_all
  meter_imports imports-now ifunc
}

@test "exceptions that leave a function which is called through an import" {
  meter_imports imports-throws throws
}

@test "a slot from which the address is taken is left alone, and that is said" {
  local victim
  for victim in imports-lazy imports-no-plt; do
    run_bare "$(target $victim)" pointers
    assert_equal 0 "$bare_status" 'exit status of the bare run'
    manifest_of imports_apply imports_pointer
    start_confined mprotect "$(target $victim)" pointers
    wait_done
    scrape
    assert_truths
    assert_match 'also take its address' "$(reason_of imports_pointer)"
    release
    assert_same_as_bare
  done
}

@test "what another preload has replaced is left alone" {
  run_bare env LD_PRELOAD="$(target libimports-preloaded.so)" "$(target imports-lazy)" replaced
  manifest_json '{"version": 1, "functions": [{"symbol": "imports_replaced", "object": "libimports.so"}]}'
  start_confined mprotect LD_PRELOAD="$shim $(target libimports-preloaded.so)" "$(target imports-lazy)" replaced
  wait_done
  scrape
  assert_match 'no other object imports it' "$(reason_of imports_replaced)"
  release
  assert_same_as_bare
  grep -q "the preloaded library's" "$run_dir/out"
}

@test "callmeter's own imports are left alone" {
  nm -D "$shim" | grep -q ' U dl_iterate_phdr'
  manifest_json '{"version": 1, "functions": [{"symbol": "dl_iterate_phdr", "object": "libc.so.6"}]}'
  start_confined mprotect "$(target imports-lazy)" calls
  wait_done
  scrape
  assert_match 'no other object imports it' "$(reason_of dl_iterate_phdr)"
}

@test "what is not seen at the imports stands in the reason, and one line in the log" {
  manifest_of imports_work imports_inner work_in_rounds
  start_confined mprotect "$(target imports-lazy)" calls
  wait_done
  scrape
  assert_match "^its text cannot be written \(Operation not permitted\), so its calls are seen at the imports of 1 object: not those through pointers, from within its own object past the PLT, or from libraries loaded later$" \
    "$(reason_of imports_work)"
  assert_match 'imports of 2 objects' "$(reason_of imports_inner)"
  assert_match '^its text cannot be written \(Operation not permitted: a security policy\?\), and no other object imports it$' \
    "$(reason_of work_in_rounds)"
  assert_metric 2 manifest_functions state=full
  assert_metric 1 manifest_functions state=refused
  assert_lines 1 "$run_dir/err" 'text of 3 functions cannot be written .*the calls of 2 are seen .*, 1 are not tracked'
  assert_lines 1 "$run_dir/err" 'work_in_rounds is not tracked'
  assert_lines 2 "$run_dir/err" callmeter
}

@test "under CALLMETER_STRICT a function that nobody imports ends the program before main" {
  manifest_of imports_work work_in_rounds
  run "$(target without-exec)" mprotect env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    CALLMETER_STRICT=1 "$(target imports-lazy)" calls </dev/null
  assert_equal 78 "$status" 'exit status'
  [[ $output != *truth* ]]
  assert_match 'work_in_rounds is not tracked: its text cannot be written' "$output"
}

# protections_of PID: of all mappings of files of the build folder.
protections_of() {
  awk -v folder="$targets/" 'index($6, folder) { print $2, $3, $6 }' "/proc/$1/maps"
}

@test "what was protected is protected as before" {
  local bare victim
  for victim in imports-lazy imports-now; do
    start "$(target $victim)" calls
    wait_done
    bare=$(protections_of "$pid")
    [[ $bare == *r-xp* && $bare == *rw-p* ]]
    manifest_of imports_work imports_inner
    start_confined mprotect "$(target $victim)" calls
    wait_done
    assert_equal "$bare" "$(protections_of "$pid")" "mappings of $victim"
    assert_equal '' "$(grep ' rwx' "/proc/$pid/maps")" 'writable and executable mappings'
  done
}

@test "under PR_SET_MDWE" {
  run "$(target without-exec)" mdwe true
  ((status != 77)) || skip 'this kernel has no PR_SET_MDWE'
  manifest_of imports_work
  run_bare "$(target imports-now)" calls
  function_properties='{"error_when": "ret < 0"}' manifest_of imports_work
  start_confined mdwe "$(target imports-now)" calls
  wait_done
  scrape
  assert_truth imports_work success=1616 error=404
  release
  assert_same_as_bare
}

@test "where the text of one library alone cannot be written, the others are patched" {
  run env LD_PRELOAD="$(target seal-text.so)" "$(target imports-lazy)" calls </dev/null
  ((status != 77)) || skip 'this kernel cannot seal memory'
  run_bare "$(target imports-lazy)" calls
  function_properties='{"error_when": "ret < 0"}' manifest_of imports_work imports_inner work_in_rounds
  start_metered LD_PRELOAD="$shim $(target seal-text.so)" "$(target imports-lazy)" calls
  wait_done
  scrape
  assert_truth imports_work success=1616 error=404
  assert_truth imports_inner success=150
  assert_truth work_in_rounds success=1
  assert_match 'text cannot be written' "$(reason_of imports_work)"
  assert_equal '' "$(reason_of work_in_rounds)"
  release
  assert_same_as_bare
}

@test "functions of a library that is loaded later are refused, and the program runs on" {
  [[ -x /usr/bin/python3 ]] || skip 'python3 is not installed'
  local script='import sqlite3, sys
base = sqlite3.connect(":memory:")
base.execute("create table t(a)")
print(base.execute("select count(*) from t").fetchone())
print("done", flush=True)
sys.stdin.read()'
  run_bare /usr/bin/python3 -c "$script"
  manifest_json '{"version": 1, "functions": [{"symbol": "sqlite3_step", "object": "libsqlite3.so.0"}]}'
  start_confined mprotect /usr/bin/python3 -c "$script"
  wait_done
  scrape
  assert_match 'text cannot be written .*only changed when the program starts' "$(reason_of sqlite3_step)"
  release
  assert_same_as_bare
}

@test "where no code can be made at all, all is refused in one line and the program runs as it was" {
  run_bare "$(target imports-lazy)" calls
  manifest_of imports_work imports_inner work_in_rounds
  start_confined mappings "$(target imports-lazy)" calls
  wait_done
  scrape
  assert_metric 3 manifest_functions state=refused
  assert_match '^new code cannot be made executable here \(Operation not permitted; a security policy\?\)$' "$(reason_of imports_work)"
  assert_lines 1 "$run_dir/err" 'imports_work and 2 more are not tracked: new code cannot be made executable'
  assert_lines 1 "$run_dir/err" callmeter
  release
  assert_same_as_bare
}

@test "where a library forbids all code from its constructor on, the program runs as it was" {
  run_bare env LD_PRELOAD="$(target without-exec.so)" "$(target imports-lazy)" calls
  manifest_of imports_work
  start env LD_PRELOAD="$shim $(target without-exec.so)" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    "$(target imports-lazy)" calls
  wait_done
  release
  assert_same_as_bare
  assert_lines 1 "$run_dir/err" 'the program runs uninstrumented: '
  assert_lines 1 "$run_dir/err" callmeter
}

# Statements for the shell of sqlite3, which says when it is done.
statements() {
  printf 'create table t(a, b);\n'
  printf "insert into t values(%d, 'x');\n" {1..100}
  printf '.shell touch %s\n' "$run_dir/finished"
}

# meter_sqlite STARTER...: runs the shell on the statements; `calls` then holds what was counted.
meter_sqlite() {
  "$@" sqlite3 :memory:
  statements >&"$input_fd"
  wait_until test -e "$run_dir/finished"
  scrape
  calls=$(sed -n 's/^callmeter_calls_total{function="\([^"]*\)".*outcome="success"} \([1-9].*\)$/\1 \2/p' "$run_dir/metrics" | sort)
  release
}

@test "the calls of sqlite3's shell into its library are those that are counted in the library's text" {
  command -v sqlite3 >/dev/null || skip 'sqlite3 is not installed'
  local counted
  manifest_json '{"version": 1, "functions": [{"symbol": "sqlite3_*", "object": "libsqlite3.so.0", "mode": "full"}]}'
  meter_sqlite start_metered
  counted=$calls
  meter_sqlite start_confined mprotect
  assert_match 'sqlite3_prepare_v2 1[0-9][0-9]' "$calls"
  assert_match 'sqlite3_mutex_enter' "$calls"
  assert_equal "$(join <(printf '%s\n' "$calls") <(printf '%s\n' "$counted") | awk '{ print $1, $3 }')" "$calls" calls
}

@test "redis counts its calls of write as the metrics of its imports do" {
  command -v redis-server redis-benchmark redis-cli >/dev/null || skip 'redis is not installed'
  local socket=$BATS_TEST_TMPDIR/redis.sock
  manifest_json '{"version": 1, "functions": [{"symbol": "write", "object": "libc.so.6", "mode": "full"}]}'
  start_confined mprotect redis-server --port 0 --unixsocket "$socket" --dir "$BATS_TEST_TMPDIR" --save '' --appendonly no
  wait_until redis-cli -s "$socket" ping
  redis-benchmark -s "$socket" -q -n 2000 -t set,get >/dev/null
  scrape
  assert_metric "$(redis-cli -s "$socket" info stats | tr -d '\r' | sed -n 's/^total_writes_processed://p')" \
    calls_total function=write outcome=success
  (($(calls_of write) > 4000))
}
