# Code that runs while it is patched: threads that a library's constructor made before callmeter started.

load lib/helper

@test "running functions of all shapes are patched while eight threads call them" {
  local round rounds=20 name low high calls
  [[ -z ${FULL:-} ]] || rounds=200
  manifest_json "$(jq -n '{version: 1, functions: [range(200) | {symbol: "hot_\(.)", name: "hot_\(.)", mode: "full"}]}')"
  for ((round = 0; round < rounds; round++)); do
    start_metered "$(target live-threads)"
    wait_done
    scrape
    assert_all_full 200
    while read -r _ name low high; do
      calls=$(metric calls_total "function=$name" outcome=success)
      ((low <= calls && calls <= high)) || fail "calls of $name: $calls, expected $low to $high"
    done < <(grep "^bounds hot_[0-9]*$((round % 10)) " "$run_dir/out" | tail -n 5)
    release
    assert_equal 0 "$exit_status" 'exit status'
  done
}

@test "where a thread blocks SIGTRAP, functions that would need it are refused, and the others patched" {
  manifest_json "$(jq -n '{version: 1, functions: [range(200) | {symbol: "hot_\(.)", name: "hot_\(.)", mode: "full"}]}')"
  start_metered LIVE_BLOCK_TRAPS=1 "$(target live-threads)"
  wait_done
  scrape
  assert_metric 102 manifest_functions state=full
  assert_lines 98 "$run_dir/metrics" 'mode="refused",reason=".*blocks SIGTRAP'
  release
  assert_equal 0 "$exit_status"
}

@test "children that are forked while functions are patched go on as their parent does" {
  manifest_json '{"version": 1, "functions": [{"symbol": "live_busy_*", "object": "live-forks.so"}]}'
  for _ in 1 2 3 4 5 6 7 8; do
    start env LD_PRELOAD="$shim $(target live-forks.so)" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
      "$(target greeter)" greet 1
    release
    assert_equal 0 "$exit_status" 'exit status' || fail "$(cat "$run_dir/err")"
    assert_lines 1 "$run_dir/out" '^children that were not well: 0$'
  done
}

@test "functions are patched while threads sleep in a process that cannot be dumped" {
  manifest_json '{"version": 1, "functions": [{"symbol": "live_picked_*", "object": "liblive-picked-*", "mode": "full"}]}'
  start_metered "$(target live-undumpable)"
  wait_done
  scrape
  assert_metric 100 calls_total function=live_picked_2 outcome=success
  release
  assert_equal 0 "$exit_status" 'exit status' || fail "$(cat "$run_dir/out")"
}

# live_alone MODE: counts exactly, and nobody was looked at or waited for while the libraries came.
live_alone() {
  manifest_json '{"version": 1, "executables": ["live-alone"], "functions": [{"symbol": "live_picked_*", "object": "liblive-picked-*", "mode": "full"}]}'
  start_metered LD_PRELOAD= strace -f -o "$BATS_TEST_TMPDIR/strace" -e trace=openat,nanosleep,membarrier \
    env LD_PRELOAD="$shim" "$(target live-alone)" "$1"
  wait_done
  scrape
  assert_truths
  assert_lines 3 "$run_dir/metrics" '^callmeter_function_info.*live_picked_[1-3].*mode="full"'
  release
  assert_equal 0 "$exit_status" 'exit status' || fail "$(cat "$run_dir/out")"
  # Since the first library was there.
  sed -n '/liblive-picked-1/,$p' "$BATS_TEST_TMPDIR/strace" >"$BATS_TEST_TMPDIR/since"
  assert_lines 0 "$BATS_TEST_TMPDIR/since" 'nanosleep|task/[0-9]+/(wchan|syscall|status)"'
}

@test "a program of one thread that cannot be dumped: nobody is looked at, callmeter's own thread neither" {
  command -v strace >/dev/null || skip 'strace is not installed'
  live_alone undumpable
}

@test "a thread that the kernel makes for io_uring is none of the program's" {
  command -v strace >/dev/null || skip 'strace is not installed'
  run "$(target live-alone)" ring </dev/null
  [[ $output != *'no ring'* ]] || skip 'io_uring is not to be had'
  live_alone ring
}

# mappings_of PID: of no file.
mappings_of() {
  awk 'NF < 6 || index($6, "/dev/zero")' "/proc/$1/maps" | wc -l
}

@test "masks, the action of SIGTRAP and alternate stacks are those of the bare program, and few mappings are left" {
  local bare mappings each
  manifest_json '{"version": 1, "functions": [{"symbol": "hot_*"}]}'
  for each in LIVE_NOTHING=1 LIVE_BLOCK_TRAPS=1; do
    start env "$each" "$(target live-threads)"
    wait_done
    bare=$(grep '^own ' "$run_dir/out")
    mappings=$(mappings_of "$pid")
    assert_lines 9 "$run_dir/out" '^own [0-8] mask '
    start_metered "$each" "$(target live-threads)"
    wait_done
    (($(metric_after_scrape manifest_functions state=full) >= 100)) || fail 'nothing is patched'
    assert_equal "$bare" "$(grep '^own ' "$run_dir/out")" 'of the threads'
    # Not one for each function, or for each list of traps.
    (($(mappings_of "$pid") <= mappings + 64)) || fail "$mappings mappings bare, metered:" "$(cat "/proc/$pid/maps")"
  done
}

metric_after_scrape() {
  scrape && metric "$@"
}

@test "and by traps, with the program's own going on" {
  manifest_json '{"version": 1, "functions": [{"symbol": "live_picked_*", "object": "liblive-picked-*", "mode": "full"}]}'
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target live-undumpable)"
  wait_done
  release
  assert_equal 0 "$exit_status" 'exit status' || fail "$(cat "$run_dir/out")"
  assert_lines 3 "$run_dir/out" '^patched live_picked_[123]$'
}

@test "what the program does with SIGTRAP while functions are patched is as without" {
  manifest_json '{"version": 1, "functions": [{"symbol": "live_*", "object": "live-sets-trap.so"}]}'
  start env LD_PRELOAD="$shim $(target live-sets-trap.so)" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    "$(target greeter)" greet 1
  release
  assert_equal 0 "$exit_status" 'exit status' || fail "$(cat "$run_dir/err")"
  assert_lines 1 "$run_dir/out" '^failures: 0$'
  assert_lines 1 "$run_dir/err" 'cannot be patched while threads are running'
}

@test "a thread that stays in a function's first instructions: it is refused, works, and nobody spins" {
  local name
  for name in live_stays_behind_one live_stays_behind_three; do
    manifest_json "$(jq -n --arg name "$name" '{version: 1, functions: [{symbol: $name}, {symbol: "live_passed"}]}')"
    start_metered LD_PRELOAD="$shim $(target live-stays.so)" "$(target greeter)" greet 1
    wait_done
    scrape
    assert_match 'mode="refused",reason="a thread may be in its first instructions, and stayed there[,"]' \
      "$(grep "function_info{function=\"$name\"" "$run_dir/metrics")"
    assert_metric 1 manifest_functions state=full
    release
    assert_equal 0 "$exit_status" 'exit status'
    assert_lines 1 "$run_dir/out" '^failures: 0$'
    # A second passes until it is refused, in which who waits looks several thousand times where nothing else runs.
    (($(sed -n 's/^milliseconds: //p' "$run_dir/out") < 900)) || fail "$(cat "$run_dir/out")"
    (($(sed -n 's/^sleeps: //p' "$run_dir/out") > 20)) || fail "$(cat "$run_dir/out")"
  done
}

# The numbers and files of a process's descriptors.
descriptors_of() {
  find "/proc/$1/fd" -type l -printf '%f %l\n' | sed -E 's|/run\.[0-9]+/|/run/|; s|:\[[0-9]+\]||' | sort -n
}

# assert_descriptors [VARIABLE=VALUE]... COMMAND...: as bare.
assert_descriptors() {
  local bare
  start env "$@"
  wait_done
  bare=$(descriptors_of "$pid")
  [[ -n $bare ]] || fail 'no descriptors are seen'
  start_metered "$@"
  wait_done
  scrape
  (($(metric manifest_functions state=full) > 0)) || fail 'nothing is patched'
  assert_equal "$bare" "$(descriptors_of "$pid")" 'descriptors'
}

@test "descriptors are those of the bare program, after each way of patching" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*"}, {"symbol": "*", "object": "libc.so.6"}]}'
  assert_descriptors "$(target greeter)" greet 3
  manifest_json '{"version": 1, "functions": [{"symbol": "hot_*"}]}'
  assert_descriptors "$(target live-threads)"
  assert_descriptors LIVE_BLOCK_TRAPS=1 "$(target live-threads)"
  manifest_json '{"version": 1, "functions": [{"symbol": "late_*", "object": "liblate*.so"}, {"symbol": "*", "object": "libz.so.1"}]}'
  assert_descriptors "$(target late)" open
}
