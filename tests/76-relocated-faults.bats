# Faults in a tracked function's first instructions, which run as a copy: they are seen where they would have been.

load lib/helper

faults() {
  target relocated-faults
}

# place_of_core MODE [NAME=VALUE]...: where gdb says that the program died.
place_of_core() {
  local mode=$1 folder=$BATS_TEST_TMPDIR/cores
  shift
  rm -rf "$folder" && mkdir "$folder"
  (cd "$folder" && ulimit -c unlimited && exec env "$@" "$(faults)" "$mode") >/dev/null 2>&1 || true
  gdb -nx -batch -ex "p (long)\$pc - (long)&$mode" -ex 'p $_siginfo.si_code' -ex 'bt 1' "$(faults)" "$folder"/core* 2>/dev/null |
    grep -E '^(\$|#0)' | sed 's/0x[0-9a-f]* in //'
}

@test "a handler is shown the function's own address, and goes on at the address that it chooses" {
  local mode
  for mode in skip retry; do
    meter_victim relocated-faults "$mode"
    assert_lines 2 "$run_dir/out" 'handled elsewhere 0$'
    assert_metric 0 fatal_signals_total signal=SIGSEGV
  done
}

@test "a core says that the function's own instruction faulted" {
  local mode bare
  [[ $(</proc/sys/kernel/core_pattern) != [\|/]* ]] || skip 'cores go elsewhere here'
  ulimit -S -c unlimited 2>/dev/null || skip 'cores are not allowed here'
  manifest_of first_faults second_faults
  for mode in first_faults second_faults; do
    bare=$(place_of_core "$mode")
    [[ $bare == *"#0  $mode "* ]] || fail "the bare core: $bare"
    assert_equal "$bare" "$(place_of_core "$mode" LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none)" \
      "core of $mode"
  done
}
