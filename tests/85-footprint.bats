# The memory that 20 tracked functions add to a program.

load lib/helper

# Resident memory of a process in KiB.
resident() {
  awk '$1 == "Rss:" { print $2 }' "/proc/$1/smaps_rollup"
}

# functions_in PROGRAM [OBJECT]: a manifest of the first 20 functions that can be timed in it.
manifest_of_20() {
  manifest_json "$(jq -n --arg object "$2" '{version: 1, functions: [{symbol: "*", object: $object}]}')"
  manifest_json "$("$callmeter" check --json -m "$manifest" "$1" |
    jq '{version: 1, functions: [limit(20; .functions[] | select(.mode == "full") | {symbol, object, mode: "full"})]}')"
}

# assert_footprint BARE METERED: in KiB.
assert_footprint() {
  (($2 - $1 <= 8192)) || fail "resident: bare $1 KiB, metered $2 KiB" "$(awk '
    /^[0-9a-f]+-/ { name = NF > 5 ? $6 : "(no name)" } /^Rss:/ { sum[name] += $2 }
    END { for (name in sum) print sum[name], name }' "/proc/$pid/smaps" | sort -rn | head -n 20)"
}

is_echoed() {
  [[ -s $run_dir/out ]]
}

@test "20 functions add at most 8 MiB to a small program that is scraped" {
  local bare
  manifest_of_20 /bin/cat libc.so.6
  start /bin/cat
  printf 'x\n' >&"$input_fd"
  wait_until is_echoed
  bare=$(resident "$pid")
  start_metered /bin/cat
  printf 'x\n' >&"$input_fd"
  wait_until is_echoed
  for _ in {1..20}; do scrape; done
  assert_all_full 20
  assert_footprint "$bare" "$(resident "$pid")"
}

is_up() {
  [[ $(redis-cli -s "$socket" ping 2>/dev/null) == PONG ]]
}

@test "20 functions add at most 8 MiB to redis-server" {
  command -v redis-server redis-cli >/dev/null || skip 'redis is not installed'
  local bare redis
  redis=(redis-server --port 0 --dir "$BATS_TEST_TMPDIR" --save '' --appendonly no --unixsocket)
  manifest_of_20 "$(command -v redis-server)" 'redis-*'
  socket=$BATS_TEST_TMPDIR/bare.sock
  start "${redis[@]}" "$socket"
  wait_until is_up
  bare=$(resident "$pid")
  socket=$BATS_TEST_TMPDIR/metered.sock
  start_metered "${redis[@]}" "$socket"
  wait_until is_up
  for _ in {1..20}; do scrape; done
  assert_all_full 20
  assert_footprint "$bare" "$(resident "$pid")"
}
