# shellcheck shell=bash
# For victims that say which samples the scrape is to have (tests/targets/samples.h). Loaded after helper.

# assert_samples [LINE]...: the last scrape has what the program started last said, and what these lines say.
assert_samples() {
  { cat "$run_dir/out"; (($# == 0)) || printf '%s\n' "$@"; } | python3 "$root/tests/lib/samples.py" "$run_dir/metrics"
}

# assert_said PATTERN: of what the program said, the lines that match the extended regular expression.
assert_said() {
  grep -E -- "$1" "$run_dir/out" | python3 "$root/tests/lib/samples.py" "$run_dir/metrics"
}

# assert_scrape LINE...: the last scrape has what these lines say; what the program says is for another manifest.
assert_scrape() {
  printf '%s\n' "$@" | python3 "$root/tests/lib/samples.py" "$run_dir/metrics"
}

# Functions of the manifest that are not what the test meant to track make every count 0: better said at once.
assert_tracked() {
  [[ $(metric manifest_functions state=refused) == 0 && $(metric manifest_functions state=missing) == 0 ]] && return 0
  fail 'some functions are not tracked:' "$(grep _function_info "$run_dir/metrics")" "$(cat "$run_dir/err")"
}

# What the program says of the scrape, in its bare run too, but for moments.
said_of_samples() {
  grep -E '^(sample|total|series|truth) ' "$1"
}

# assert_said_the_same: the program did the same under the shim as bare, by its own account.
assert_said_the_same() {
  assert_equal "$bare_status" "$exit_status" 'exit status' || { cat "$run_dir/out" "$run_dir/err" >&2; return 1; }
  diff <(said_of_samples "$BATS_TEST_TMPDIR/bare.out") <(said_of_samples "$run_dir/out") ||
    fail 'the program says something else than bare (above)'
}

# meter_samples NAME [MODE]: bare, then under the manifest in $manifest; the scrape is what the program says of it.
meter_samples() {
  require_target "$1"
  run_bare "$(target "$1")" "${@:2}"
  assert_equal 0 "$bare_status" "exit status of the bare $*" || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  start_metered "$(target "$1")" "${@:2}" && wait_done && scrape || return 1
  assert_tracked && assert_samples || { fail "in: $*"; return 1; }
  release
  assert_said_the_same || fail "in: $*"
}
