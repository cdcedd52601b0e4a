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
