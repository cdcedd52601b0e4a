# Libraries that are loaded and unloaded while the program runs.

bats_require_minimum_version 1.5.0

load lib/helper

late_manifest() {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "late_add", "object": "liblate.so", "name": "late_add"},
    {"symbol": "late_read", "object": "liblate.so"},
    {"symbol": "late_at_*", "object": "liblate.so"},
    {"symbol": "late_picked", "object": "liblate.so"},
    {"symbol": "late_named", "object": "liblate.so", "labels": {"what": {"arg": 1, "type": "cstring", "max_values": 5}}},
    {"symbol": "dependent_add", "object": "liblate-dep*"}]}'
}

# meter_late MODE [ARGUMENT]: counts are exact, and all else is as in the bare run.
meter_late() {
  run_bare "$(target "${late_target:-late}")" "$@"
  assert_equal 0 "$bare_status" 'exit status of the bare run' || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  late_manifest
  start_metered "$(target "${late_target:-late}")" "$@" && wait_done && scrape || return 1
  assert_late_truths || return 1
}

# The truths of the victim; a function whose calls a pattern found has no series before the first.
assert_late_truths() {
  local words
  grep -q ^truth "$run_dir/out" || { fail 'the program printed no truth:' "$(cat "$run_dir/out")"; return 1; }
  while read -r -a words; do
    if [[ ${words[0]} != truth ]]; then
      continue
    elif [[ ${words[2]} == success=0 ]]; then
      assert_metric '(0 samples)' calls_total "function=${words[1]}" outcome=success || return 1
    else
      assert_truth "${words[@]:1}" || return 1
    fi
  done <"$run_dir/out"
}

end_late() {
  release
  assert_same_as_bare
}

# mode_of FUNCTION: in function_info.
mode_of() {
  sed -n "s/^callmeter_function_info{function=\"$1\".*mode=\"\([a-z]*\)\".*/\1/p" "$run_dir/metrics"
}

assert_modes() {
  local each
  for each; do
    assert_equal "${each#*=}" "$(mode_of "${each%%=*}")" "mode of ${each%%=*}" ||
      { grep function_info "$run_dir/metrics" >&2; return 1; }
  done
}

@test "a library that comes by dlopen is tracked, its constructor included" {
  meter_late open
  assert_modes late_add=full late_read=full late_at_start=full late_picked=pending dependent_add=pending
  assert_metric 2 manifest_functions state=pending
  end_late
}

@test "a pattern that means several libraries has room for those that come later, too" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "*late*"}]}'
  start_metered "$(target late)" open
  wait_done
  scrape
  assert_metric "$(awk '$2 == "late_add" { print substr($3, 9) }' "$run_dir/out")" \
    calls_total function=late_add outcome=success
  assert_lines 0 "$run_dir/err" 'has room for'
}

@test "in a program that has its own copy of the loader's account" {
  late_target=late-asks-loader meter_late open
  assert_modes late_add=full late_read=full late_at_start=full late_picked=pending dependent_add=pending
  end_late
}

@test "before the library comes its functions are pending and have no series" {
  run_bare true
  late_manifest
  start_metered "$(target greeter)" || start_metered sleep 60
  scrape
  assert_metric 6 manifest_functions state=pending
  assert_lines 0 "$run_dir/metrics" '^callmeter_calls_total'
}

@test "labels go on when the library comes back" {
  late_manifest
  start_metered "$(target late)" named
  wait_done
  scrape
  assert_metric 50 calls_total function=late_named what=seldom outcome=success
  assert_metric 150 calls_total function=late_named what=often outcome=success
}

@test "a library that comes back at another address goes on counting" {
  meter_late elsewhere
  assert_modes late_add=full
  end_late
}

@test "a library that a constructor has loaded before callmeter starts may go and come back" {
  manifest_json '{"version": 1, "functions": [{"symbol": "late_add", "object": "liblate.so"}]}'
  start_metered LD_PRELOAD="$shim $(target liblate-early.so)" "$(target late)" early
  wait_done
  scrape
  assert_truths
  assert_modes late_add=pending
  release
  assert_equal 0 "$exit_status"
}

@test "functions of a library that is gone are pending, and keep their counts" {
  meter_late gone
  assert_modes late_add=pending late_read=pending
  assert_match 'late_add.*mode="pending",reason="its library was unloaded' "$(grep function_info "$run_dir/metrics")"
  end_late
}

@test "another library where the first one was" {
  meter_late replaced
  end_late
}

@test "ten thousand times loaded and unloaded, in bounded memory" {
  meter_late cycles "$([[ ${FULL:-} ]] && echo 10000 || echo 1000)"
  end_late
}

@test "threads that load and unload the same library" {
  meter_late threads
  end_late
}

@test "a thread with the smallest stack loads it" {
  meter_late small-stack
  end_late
}

@test "children that load it share its series" {
  meter_late children
  assert_lines 1 "$run_dir/metrics" '^callmeter_function_info.*"late_add"'
  end_late
}

@test "a library that another one brings along" {
  meter_late dependent
  assert_modes late_add=full dependent_add=full
  end_late
}

@test "libraries that cannot be loaded leave nothing behind" {
  meter_late broken
  end_late
}

@test "an IFUNC of a library that was loaded later is tracked at the next change" {
  meter_late picked
  end_late
}

@test "a library with text relocations is tracked when it has them, at the next change" {
  run_bare "$(target late)" relocated
  assert_equal 0 "$bare_status"
  manifest_json '{"version": 1, "functions": [{"symbol": "late_moved"}, {"symbol": "late_moved_first"}]}'
  start_metered "$(target late)" relocated
  wait_done
  scrape
  assert_truths
  assert_modes late_moved=full late_moved_first=refused
  release
  assert_same_as_bare
}

@test "dlopen leaves errno as it does without callmeter" {
  meter_late traces
  end_late
}

@test "a library in a namespace of its own shares the series" {
  meter_late namespace
  end_late
}

@test "a library that is found in the working directory, by its bare name" {
  cd "$targets"
  LD_LIBRARY_PATH=/nowhere: meter_late by-name
  end_late
}

@test "a library that comes alone to a namespace of its own" {
  manifest_json '{"version": 1, "functions": [{"symbol": "late_alone", "object": "liblate-alone.so", "name": "late_alone"}]}'
  start_metered "$(target late)" alone
  wait_done
  scrape
  assert_truths
}

@test "a condition on errno is refused in a namespace that has an errno of its own" {
  manifest_json '{"version": 1, "functions": [{"symbol": "late_add", "object": "liblate.so", "returns": "int",
    "error_when": "errno == EAGAIN"}]}'
  start_metered "$(target late)" namespace
  wait_done
  scrape
  assert_metric 100 calls_total function=late_add outcome=success # of the library in the program's own namespace
  assert_match 'late_add is not tracked: it was loaded by dlmopen' "$(<"$run_dir/err")"
}

@test "a library that callmeter itself has loaded is tracked when the program asks for it" {
  local mode
  for mode in shared shared-dependency; do
    run_bare "$(target late)" "$mode"
    manifest_json '{"version": 1, "functions": [{"symbol": "zlibVersion", "object": "libz.so.1"},
      {"symbol": "crc32", "object": "libz.so.1"}, {"symbol": "late_sum"}]}'
    start_metered "$(target late)" "$mode"
    wait_done
    scrape
    assert_truths
    release
    assert_same_as_bare
    stop_all
  done
}

@test "libraries with unwinders of their own that take each other's place" {
  run_bare "$(target late)" throws
  assert_equal 0 "$bare_status"
  manifest_json '{"version": 1, "functions": [{"symbol": "late_throw", "object": "liblate-throws*"}]}'
  start_metered "$(target late)" throws
  wait_done
  scrape
  assert_metric 100 calls_total function=late_throw module=liblate-throws.so outcome=error
  assert_metric 100 calls_total function=late_throw module=liblate-throws-copy.so outcome=error
  release
  assert_same_as_bare
}

@test "calls that never return to their library, which is gone, are abandoned" {
  run_bare "$(target late)" left
  assert_equal 0 "$bare_status"
  manifest_json '{"version": 1, "functions": [{"symbol": "late_call", "object": "liblate.so"}]}'
  start_metered "$(target late)" left
  wait_done
  scrape
  assert_truths
  release
  assert_same_as_bare
}

@test "faults in a library that was loaded later are reported, or turned into a return" {
  local report status=0
  manifest_json "{\"version\": 1, \"functions\": [{\"symbol\": \"late_crash\"},
    {\"symbol\": \"late_recover\", \"object\": \"liblate.so\", \"returns\": \"int\", \"recover\": {\"return\": -7}}],
    \"panics\": {\"report_dir\": \"$BATS_TEST_TMPDIR/reports\"}}"
  { env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target late)" crash \
    </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || status=$?; } 2>/dev/null
  assert_equal 139 "$status" 'exit status'
  assert_equal '' "$(<"$BATS_TEST_TMPDIR/out")" 'failed checks'
  report=$(grep -l '"late_crash"' "$BATS_TEST_TMPDIR"/reports/panic-*.json)
  assert_equal late_crash "$(jq -r .function "$report")"
  assert_equal liblate.so "$(jq -r .module "$report")"
  assert_equal late_crash "$(jq -r '.frames[0].symbol' "$report")"
  assert_equal 3 "$(grep -l '"late_recover"' "$BATS_TEST_TMPDIR"/reports/panic-*.json | wc -l)" 'recovered faults'
}

@test "samples, items and gauges of calls to a library that is loaded later" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "late_add", "object": "liblate.so", "sample_rate": 0.5, "kind": "worker", "items": {"arg": 1, "type": "uint32"}},
    {"symbol": "late_read", "object": "liblate.so", "returns": "int", "error_when": "ret < 0", "error_type": "errno"}],
    "resources": [{"name": "latest", "in_use": {"function": "late_read", "arg": 1, "type": "int"}}]}'
  start_metered "$(target late)" open
  wait_done
  scrape
  assert_metric 100 calls_total function=late_add outcome=success
  assert_metric 4950 items_total function=late_add
  assert_metric 2 sample_interval_calls function=late_add
  assert_metric 34 call_errors_total function=late_read error_type=EAGAIN
  assert_metric 99 resource_in_use resource=latest
}

@test "counts of a library that is loaded later survive the process" {
  late_manifest
  for _ in 1 2; do
    start_metered CALLMETER_STATE_DIR="$BATS_TEST_TMPDIR" "$(target late)" open
    wait_done
    scrape
    release
  done
  assert_metric 200 calls_total function=late_add outcome=success
  assert_metric 0 state_errors_total reason=manifest
}

@test "a pattern finds functions up to the room that there is, and says what is beyond" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "libcrypto.so*"}]}'
  start_metered /usr/bin/python3 -c 'import ctypes, sys; ctypes.CDLL("libcrypto.so.3"); print("done", flush=True); sys.stdin.read()'
  wait_done
  scrape
  assert_lines 1 "$run_dir/err" 'not all functions of libraries that are loaded later are tracked'
  (($(metric manifest_functions state=full) > 400)) || fail "$(grep manifest_functions "$run_dir/metrics")"
}

@test "python loads its module for SQLite, and that the library" {
  manifest_json '{"version": 1, "functions": [{"symbol": "sqlite3_prepare_v2", "object": "libsqlite3.so*"},
    {"symbol": "sqlite3_open_v2", "object": "libsqlite3.so*"}, {"symbol": "PyInit__sqlite3"}]}'
  start_metered /usr/bin/python3 -c '
import sys
sys.stdin.buffer.raw
import sqlite3
connection = sqlite3.connect(":memory:", isolation_level=None)
for i in range(500):
    assert connection.execute("SELECT %d" % i).fetchone() == (i,)
print("done", flush=True)
sys.stdin.read()'
  wait_done
  scrape
  assert_truth sqlite3_prepare_v2 success=500
  assert_truth sqlite3_open_v2 success=1
  assert_truth PyInit__sqlite3 success=1
}

@test "perl loads its modules, each of which has a function to begin with" {
  manifest_json '{"version": 1, "functions": [{"symbol": "boot_*", "object": "*.so"}]}'
  start_metered /usr/bin/perl -e '$| = 1; require List::Util; require POSIX; require Socket;
    print "booted ", scalar(@DynaLoader::dl_modules), "\ndone\n"; <STDIN>'
  wait_done
  scrape
  assert_metric 1 calls_total function=boot_List__Util module=Util.so outcome=success
  assert_metric 1 calls_total function=boot_POSIX module=POSIX.so outcome=success
  assert_equal "$(sed -n 's/^booted //p' "$run_dir/out")" "$(grep -c '^callmeter_calls_total.*outcome="success"} 1$' "$run_dir/metrics")" modules
}

@test "modules that libc loads for itself are seen, too" {
  manifest_json '{"version": 1, "functions": [{"symbol": "gconv_init", "object": "ISO8859-15.so"}]}'
  start_metered /usr/bin/iconv -f ISO8859-15 -t UTF-8
  scrape
  assert_metric 1 calls_total function=gconv_init module=ISO8859-15.so outcome=success
}

@test "where ld.so cannot be watched a library is looked at behind its dlopen" {
  late_manifest
  start "$(target without-exec)" mprotect env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" \
    CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" "$(target late)" open
  wait_for_address
  wait_done
  scrape
  assert_lines 1 "$run_dir/err" 'the loader cannot be watched'
  assert_match 'late_add".*mode="refused",reason="its text cannot be written' "$(grep function_info "$run_dir/metrics")"
  release
  assert_equal 0 "$exit_status"
}

@test "where ld.so cannot be watched, a library that goes and comes back to its place is tracked each time" {
  late_manifest
  start_metered LD_PRELOAD="$shim $(target debug-loader.so)" "$(target late)" cycles
  wait_done
  scrape
  assert_lines 1 "$run_dir/err" 'the loader cannot be watched'
  assert_match '^truth late_add success=[1-9][0-9]*$' "$(grep 'late_add' "$run_dir/out")"
  assert_metric "$(sed -n 's/^truth late_add success=//p' "$run_dir/out")" calls_total function=late_add outcome=success
}

# meter_storm MODE: handlers interrupt whatever there is, and their calls count exactly. FULL=1: ten times.
meter_storm() {
  local run
  manifest_json '{"version": 1, "functions": [
    {"symbol": "in_handler"}, {"symbol": "plain"}, {"symbol": "throws"}, {"symbol": "storm_*", "object": "libstorm*.so"}]}'
  for ((run = 0; run < ${FULL:+9} + 1; run++)); do
    start_metered "$(target signal-storm)" "$1" && wait_done && scrape || return 1
    assert_truths || return 1
    release
    assert_equal 0 "$exit_status" 'exit status' || { cat "$run_dir/out" >&2; return 1; }
  done
}

@test "calls in signal handlers count while libraries come and go" {
  meter_storm libraries
}

@test "calls in signal handlers count while exceptions fly from libraries that come and go" {
  meter_storm exceptions
}

@test "calls in signal handlers count through libraries, exceptions, forks and threads at once" {
  meter_storm everything
}
