# After patching, the program's memory has the rights that it has bare: text that stays writable is a way in.

load lib/helper

# assert_rights BARE_PID PID
assert_rights() {
  local said
  said=$(python3 "$root/tests/lib/rights.py" "$1" "$2")
  assert_match '^[1-9][0-9]+ bytes of text$' "$said"
}

# start_both [VARIABLE=VALUE]... COMMAND...: bare and metered; sets bare_pid and pid.
start_both() {
  start env "$@"
  wait_done
  bare_pid=$pid
  start_metered "$@"
  wait_done
  scrape
}

@test "a program that was patched still, in all functions of its own and of libc" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*"}, {"symbol": "*", "object": "libc.so.6"}]}'
  start_both "$(target greeter)" greet 3
  (($(metric manifest_functions state=full) > 2000)) || fail 'it is not patched'
  assert_rights "$bare_pid" "$pid"
}

@test "a program that was patched under running threads, refused functions included" {
  manifest_json '{"version": 1, "functions": [{"symbol": "hot_*"}]}'
  start_both "$(target live-threads)"
  (($(metric manifest_functions state=full) >= 200)) || fail 'it is not patched'
  assert_rights "$bare_pid" "$pid"
  start_both LIVE_BLOCK_TRAPS=1 "$(target live-threads)"
  (($(metric manifest_functions state=refused) > 90)) || fail 'nothing was refused'
  assert_rights "$bare_pid" "$pid"
}

@test "libraries that come later" {
  manifest_json '{"version": 1, "functions": [{"symbol": "late_*", "object": "liblate*.so"}, {"symbol": "*", "object": "libz.so.1"}]}'
  start_both "$(target late)" open
  (($(metric manifest_functions state=full) > 0)) || fail 'it is not patched'
  grep -q liblate "/proc/$pid/maps" || fail 'the library is not there'
  assert_rights "$bare_pid" "$pid"
}

@test "forked children" {
  local child bare_child
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "libc.so.6"}]}'
  # shellcheck disable=SC2016 # for the other shell
  start_both dash -c 'echo done; (read line; :); :'
  bare_child=$(pgrep -P "$bare_pid")
  child=$(pgrep -P "$pid")
  assert_rights "$bare_child" "$child"
}

@test "text that a program itself keeps writable stays so" {
  manifest_json '{"version": 1, "functions": [{"symbol": "*"}]}'
  start_both "$(target fault-writable-text)" all
  assert_rights "$bare_pid" "$pid"
  grep -q 'rwxp.*fault-writable-text' "/proc/$pid/maps" || fail 'its text is not writable'
}
