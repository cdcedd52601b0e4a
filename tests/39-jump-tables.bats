# Where control comes to a function's first bytes by data: tables of jumps and of labels. What looks at its caller through
# a jump. Bodies that were split off.

load lib/helper

# compile NAME OPTION...: the victim of that name, as $program.
compile() {
  program=$BATS_TEST_TMPDIR/$1
  "${@:2}" -std=gnu11 -D_GNU_SOURCE -w -I "$root/tests/targets" -o "$program" "$root/tests/targets/$1.c"
}

# What check says of all functions of $program: $checked and $check_status; $refused and $counted have names.
check_all() {
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "'"${program##*/}"'"}]}'
  check_status=0
  checked=$("$callmeter" check --json -m "$manifest" "$program") || check_status=$?
  mapfile -t refused < <(jq -r '.functions[] | select(.mode == "refused") | .name' <<<"$checked")
  mapfile -t counted < <(jq -r '.functions[] | select(.mode == "count") | .name' <<<"$checked")
}

# verdict_of FUNCTION: mode and reason.
verdict_of() {
  jq -r --arg name "$1" '.functions[] | select(.name == $name) | .mode + ": " + .reason' <<<"$checked"
}

# All functions of $program are tracked: what is not refused is counted exactly, and it prints what it prints bare.
meter_all() {
  local name calls
  check_all
  run_bare "$program"
  start_metered "$program" && wait_done && scrape || return 1
  grep -vwF "$(printf 'truth %s\n' "${refused[@]}" "${counted[@]}" nothing)" "$run_dir/out" | hold_to_truths || return 1
  for name in "${counted[@]}"; do
    calls=$(sed -n "s/^truth $name success=//p" "$run_dir/out")
    [[ -z $calls ]] || assert_metric "$calls" calls_total function="$name" outcome=success || return 1
  done
  release
  assert_same_as_bare
}

# meter_settings COMPILER OPTION...: jump-tables in the two ways of linking.
meter_settings() {
  local name
  command -v "$1" >/dev/null || skip "$1 is not installed"
  compile jump-tables "$@" -fPIE -pie
  meter_all || fail "in: $* -pie, refused: ${refused[*]}"
  for name in by_function other_function chosen dispatch; do
    assert_equal 'full: ' "$(verdict_of "$name")" || fail "in: $* -pie, $name"
  done
  compile jump-tables "$@" -fno-pie -no-pie
  meter_all || fail "in: $* -no-pie, refused: ${refused[*]}"
}

@test "every way to jump by a table: gcc -Os" {
  meter_settings gcc -Os
}

@test "every way to jump by a table: gcc -O2" {
  meter_settings gcc -O2
}

@test "every way to jump by a table: gcc -O3" {
  meter_settings gcc -O3
}

@test "every way to jump by a table: clang -Os" {
  meter_settings clang -Os
}

@test "every way to jump by a table: clang -O2" {
  meter_settings clang -O2
}

@test "every way to jump by a table: clang -O3" {
  meter_settings clang -O3
}

@test "every way to jump by a table, with branch protection, packed relocations, thunks" {
  compile jump-tables gcc -O2 -fcf-protection -fPIE -pie
  meter_all
  compile jump-tables gcc -Os -fcf-protection -fno-pie -no-pie
  meter_all
  compile jump-tables gcc -Os -fPIE -pie -Wl,-z,pack-relative-relocs
  meter_all
  compile jump-tables gcc -Os -fPIC -pie -s -rdynamic
  meter_all
  compile jump-tables gcc -Os -mindirect-branch=thunk
  meter_all
  compile jump-tables gcc -Os -mindirect-branch=thunk-inline
  meter_all
}

@test "a label that a table in data leads to lies in the first bytes: refused, with the reason" {
  compile jump-tables gcc -Os -fPIE -pie
  check_all
  assert_equal 'refused: an address in the program'"'"'s data leads into the bytes that would be replaced' \
    "$(verdict_of by_label)"
  assert_equal "$(verdict_of by_label)" "$(verdict_of skip)"
  compile jump-tables gcc -O2 -fno-pie -no-pie
  check_all
  assert_equal 'refused: a table of jumps leads back to the function'"'"'s entry, so rounds of a loop would count as calls' \
    "$(verdict_of by_switch)"
}

# meter_tails OPTION...: tail-callers, with its plugin where only its own search path leads.
meter_tails() {
  mkdir -p "$BATS_TEST_TMPDIR/lib"
  gcc -shared -fPIC -o "$BATS_TEST_TMPDIR/lib/libplug.so" -x c - <<<'int plug(void) { return 42; }'
  # shellcheck disable=SC2016 # the loader's
  compile tail-callers "$@" -rdynamic -Wl,--enable-new-dtags,-rpath,'$ORIGIN/lib'
  meter_all || fail "in: $*"
  assert_lines 7 "$run_dir/out" '^[0-9]: found$'
  assert_equal '' "$(printf '%s' "${refused[*]}")" 'refused'
  assert_equal 'full: ' "$(verdict_of load_by_call)"
}

@test "a function that ends in a jump to one that looks at its caller" {
  local name
  meter_tails gcc -O2
  for name in load_plugin load_first load_through_two load_in_one_branch load_by_choice load_by_constant find_next \
    find_next_version who_called_me who_called_through_two; do
    assert_equal 'count: the function ends in a jump to one that looks at its return address or caller, so its calls are only counted' \
      "$(verdict_of "$name")" || fail "in: $name"
  done
}

@test "the same without stubs, bound at once, at one address, and with branch protection" {
  meter_tails gcc -O2 -fno-plt
  meter_tails gcc -O2 -Wl,-z,now
  meter_tails gcc -O2 -fno-pie -no-pie
  meter_tails gcc -O2 -fno-plt -fno-pie -no-pie
  meter_tails gcc -O2 -fcf-protection -Wl,-z,now,-z,ibtplt
}

@test "the same by clang" {
  command -v clang >/dev/null || skip 'clang is not installed'
  meter_tails clang -O2
  meter_tails clang -O2 -fno-plt -fno-pie -no-pie
}

# profile OPTION...: what gprof says of the calls of jump-tables, bare and tracked.
profile() {
  compile jump-tables gcc -O1 "$@"
  check_all
  cd "$BATS_TEST_TMPDIR"
  "$program" </dev/null >bare.out
  gprof -b -q "$program" gmon.out | awk '$NF ~ /^\[/ && /\//' | sed 's/ *\[[0-9]*\]$//; s/^ *[0-9.]* *[0-9.]* *//' | sort >bare.calls
  rm gmon.out
  LD_PRELOAD=$shim CALLMETER_MANIFEST=$manifest CALLMETER_LISTEN=none "$program" </dev/null >run.out
  gprof -b -q "$program" gmon.out | awk '$NF ~ /^\[/ && /\//' | sed 's/ *\[[0-9]*\]$//; s/^ *[0-9.]* *[0-9.]* *//' | sort >run.calls
  [[ -s bare.calls ]]
  diff bare.calls run.calls
}

@test "a program with gprof's profile keeps it" {
  profile -pg -no-pie -fno-pie
  assert_match '^count: the function calls a profiler that looks at its caller' "$(verdict_of by_two_switches)"
  profile -pg -pie -fPIE
  profile -pg -mfentry -no-pie -fno-pie
  assert_match '^count: the function calls a profiler that looks at its caller' "$(verdict_of by_two_switches)"
}

@test "a function whose body was split off, and is gone to by others directly" {
  local name
  compile split-body gcc -O2 -rdynamic
  check_all
  assert_equal 1 "$check_status" 'exit status of check'
  assert_match '^full: calls that were inlined and go on to sync_log.part.0 are not counted$' "$(verdict_of sync_log)"
  strip "$program"
  check_all
  assert_equal 1 "$check_status" 'exit status of check'
  assert_match '^full: it only tests and jumps to its body at 0x[0-9a-f]+, where 3 other places of the object go directly: those calls are not counted$' \
    "$(verdict_of sync_log)"
  for name in by_ones by_twos work call_twice; do
    assert_equal 'full: ' "$(verdict_of "$name")" || fail "in: $name"
  done
}

@test "so it is in the stripped postgres" {
  program=/usr/lib/postgresql/15/bin/postgres
  [[ -x $program ]] || skip 'PostgreSQL 15 is not installed'
  manifest_of issue_xlog_fsync
  run "$callmeter" check -m "$manifest" "$program"
  assert_equal 1 "$status" 'exit status'
  assert_match 'issue_xlog_fsync +postgres +0x[0-9a-f]+ +full +it only tests and jumps to its body' "$output"
}
