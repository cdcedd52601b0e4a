# shellcheck shell=bash
# For tests of trees of processes. Loaded after helper.

# What the victim says beside the truth: `reason FUNCTION REASON N` of abandoned calls, `calls FUNCTION N` of all that
# finished.
assert_reasons() {
  local words
  while read -r -a words; do
    case ${words[0]} in
      reason) assert_metric "${words[3]}" calls_abandoned_total "function=${words[1]}" "reason=${words[2]}" || return 1 ;;
      calls) assert_equal "${words[2]}" "$(calls_of "${words[1]}")" "finished calls of ${words[1]}" || return 1 ;;
    esac
  done <"$run_dir/out"
}

# meter_tree NAME ARGUMENT...: as meter_victim, with the reasons, and the processes that are there in the end: those of
# the victim's line `processes N`, or the first one alone. $launcher starts it.
meter_tree() {
  local functions processes
  require_target "$1"
  run_bare "${launcher[@]}" "$(target "$1")" "${@:2}"
  assert_equal 0 "$bare_status" "exit status of the bare $*" || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  mapfile -t functions < <(functions_of_bare)
  processes=$(sed -n 's/^processes //p' "$BATS_TEST_TMPDIR/bare.out")
  manifest_of "${functions[@]}"
  start_metered CALLMETER_EXE="$1" "${launcher[@]}" "$(target "$1")" "${@:2}" && wait_done && scrape || return 1
  if ! assert_all_full "${#functions[@]}" || ! assert_truths || ! assert_reasons ||
    ! assert_metric "${processes:-1}" processes; then
    fail "in: $*"
    return 1
  fi
  release
  assert_same_as_bare || fail "in: $*"
}

launcher=()

# A namespace of process ids in which nobody else is.
in_own_namespace() {
  launcher=(unshare --pid --fork --mount-proc)
  "${launcher[@]}" true 2>/dev/null || skip 'namespaces of process ids need root here'
}
