# What programs that are exec'ed inherit, and what they do not.

load lib/helper

# run_env [VARIABLE=VALUE]... COMMAND...: runs it to the end under the shim; sets output.
run_env() {
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 "$@" 3>&-
  assert_equal 0 "$status" 'exit status' || fail "$output"
}

# What each child of a shell sees, by several ways to exec.
children='sh -c "echo child: \$LD_PRELOAD"; (exec env) | sed -n "s/^LD_PRELOAD=/env: /p"; echo "self: $LD_PRELOAD"'

setup() {
  manifest_json '{"version": 1, "functions": [{"symbol": "no_such_function", "optional": true}]}'
}

@test "children of an instrumented program have no shim in LD_PRELOAD" {
  run_env sh -c "$children"
  [[ $output != *libcallmeter* ]] || fail "$output"
  assert_match '^child: .*self: ' "${output//$'\n'/ }"
}

@test "other preloaded objects stay, in their order" {
  local empty=$targets/empty.so
  run_env LD_PRELOAD="$empty:$shim" sh -c 'exec env'
  assert_match "LD_PRELOAD=$empty"$'\n' "$output"$'\n'
  cp "$empty" "$BATS_TEST_TMPDIR/other.so"
  run_env LD_PRELOAD="$empty $shim $BATS_TEST_TMPDIR/other.so" sh -c 'exec env'
  [[ $output != *libcallmeter* ]] || fail "$output"
  assert_match "LD_PRELOAD=$empty[ :]$BATS_TEST_TMPDIR/other.so"$'\n' "$output"$'\n'
}

@test "with follow_exec, children are instrumented too" {
  manifest_json '{"version": 1, "follow_exec": true, "functions": [{"symbol": "greet", "optional": true}]}'
  run_env sh -c "$children"
  assert_match "child: $shim" "$output"
  assert_match "env: $shim" "$output"
}

@test "a program that executables names is instrumented when a shell starts it" {
  manifest_json '{"version": 1, "executables": ["greeter"], "functions": [{"symbol": "greet"}]}'
  start_metered sh -c "true; '$(target greeter)' greet 9; exit \$?"
  wait_done
  scrape
  assert_truth greet success=9
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a program that was instrumented by its name does not pass the shim on to one that is not" {
  manifest_json '{"version": 1, "executables": ["sh", "dash"], "functions": [{"symbol": "no_such_function", "optional": true}]}'
  run_env sh -c 'exec env'
  [[ $output != *libcallmeter* ]] || fail "$output"
}

@test "bash, which has a setenv and unsetenv of its own, is left in order" {
  run_env bash -c 'export A=1; unset A; export B=2; env | grep -c -E "^(A|LD_PRELOAD)="; [ "$B" = 2 ]; true'
  assert_equal 0 "${lines[0]}" 'variables left'
}

@test "an environment that the program hands over itself is used as it is" {
  run_env env -i FOO=bar env
  assert_match '^FOO=bar$' "$output"
}

@test "posix_spawn, system and vfork children of a metered victim run as ever" {
  meter_victim processes spawn
  meter_victim processes vfork
}

@test "variables whose names begin like ours, or as ours begin, stay" {
  run_env LD_PRELOADED=kept CALLMETERS=kept LD_PRE=kept CALLMETER=kept sh -c 'exec env'
  assert_match 'LD_PRELOADED=kept'$'\n' "$output"$'\n'
  assert_match 'CALLMETERS=kept'$'\n' "$output"$'\n'
  assert_match 'LD_PRE=kept'$'\n' "$output"$'\n'
  assert_match 'CALLMETER=kept'$'\n' "$output"$'\n'
  [[ $output != *CALLMETER_MANIFEST=* ]] || fail "$output"
}
