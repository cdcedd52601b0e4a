# Manifests that are refused: by one line with the position, and with no harm to the program.

bats_require_minimum_version 1.5.0

load lib/helper

bad=$root/tests/manifests/bad
good=$root/tests/manifests/good

# run_with [VARIABLE=VALUE]... MANIFEST: the greeter, to its end; sets status, output and stderr. CALLMETER_EXE, since a
# manifest whose `executables` are bad would not say which programs it is for.
run_with() {
  local file=${*: -1}
  set -- "${@:1:$#-1}"
  run --separate-stderr env LD_PRELOAD="$shim" CALLMETER_LISTEN=none CALLMETER_EXE='*' CALLMETER_MANIFEST="$file" "$@" \
    "$(target greeter)" greet 2 </dev/null
}

# each_bad [--line] STATUS OUTPUT COMMAND...: with each bad manifest, whose path {} stands for.
each_bad() {
  local line=()
  [[ $1 == --line ]] && line=("$1") && shift
  python3 "$root/tests/lib/refusals.py" "${line[@]}" "$1" "$2" "$bad" "${@:3}"
}

# each_bad_preloaded STATUS OUTPUT [VARIABLE=VALUE]...: as run_with does.
each_bad_preloaded() {
  each_bad --line "$1" "$2" env LD_PRELOAD="$shim" CALLMETER_LISTEN=none CALLMETER_EXE='*' CALLMETER_MANIFEST='{}' "${@:3}" \
    "$(target greeter)" greet 2
}

@test "there are at least 40 bad manifests" {
  local files=("$bad"/*.json)
  ((${#files[@]} >= 40))
}

@test "each bad manifest: one error line with file, line, column and path, and the program is unharmed" {
  each_bad_preloaded 0 $'greeted 2\ndone'
}

@test "each bad manifest with CALLMETER_STRICT=1: status 78 before main, with the same line" {
  each_bad_preloaded 78 '' CALLMETER_STRICT=1
}

@test "each bad manifest under callmeter run and callmeter check: status 78 with the same words" {
  each_bad 78 '' "$callmeter" run -m '{}' -l none -- "$(target greeter)" greet 2
  each_bad 78 '' "$callmeter" check -m '{}' "$(target greeter)"
}

@test "the good manifests are accepted without a word" {
  local file
  for file in "$good"/*.json; do
    run_with "$file"
    assert_equal 0 "$status" "exit status with $file"
    assert_equal $'greeted 2\ndone' "$output" "output with $file"
    [[ $stderr != *error:* ]] || fail "$file: $stderr"
  done
}

@test "a manifest that is not there, is a directory or may not be read" {
  local file
  for file in "$BATS_TEST_TMPDIR/none.json" "$BATS_TEST_TMPDIR"; do
    run_with "$file"
    assert_equal 0 "$status" "exit status with $file"
    assert_equal $'greeted 2\ndone' "$output" "output with $file"
    assert_match '^callmeter\[[0-9]+\]: error: ' "$stderr"
    run_with CALLMETER_STRICT=1 "$file"
    assert_equal 78 "$status" "strict exit status with $file"
    run -78 "$callmeter" run -m "$file" -- "$(target greeter)" greet 2
  done
}

@test "a manifest from a pipe" {
  manifest='{"version":1,"functions":[{"symbol":"greet"}]}'
  start bash -c 'exec env LD_PRELOAD="$1" CALLMETER_MANIFEST=<(printf %s "$2") CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$3" "$4" greet 6' bash "$shim" "$manifest" "$BATS_TEST_TMPDIR/run.1/port" "$(target greeter)"
  wait_for_address
  wait_done
  scrape
  assert_truth greet success=6
  run -78 bash -c '"$1" run -m <(printf %s "$2") -- true' - "$callmeter" "$manifest"
  assert_match '/dev/fd/[0-9]+: a pipe, which can be read only once; expected a file' "$output"
}

@test "several manifests are merged in order" {
  local one=$BATS_TEST_TMPDIR/one.json two=$BATS_TEST_TMPDIR/two.json
  printf '{"version": 1, "namespace": "first", "labels": {"a": "1"}, "functions": [{"symbol": "greet"}]}' >"$one"
  printf '{"version": 1, "namespace": "second", "labels": {"b": "2"}, "functions": [{"symbol": "nap"}]}' >"$two"
  manifest=$one:$two
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_lines 1 "$run_dir/metrics" '^second_calls_total\{.*function="greet".*a="1".*b="2".*outcome="success".*\} 3$'
  assert_lines 1 "$run_dir/metrics" '^second_calls_total\{.*function="nap".*outcome="success".*\} 0$'
}

@test "strict: a function that is missing ends the program with 78, unless it is optional" {
  manifest_json '{"version": 1, "functions": [{"symbol": "greet"}, {"symbol": "no_such_function"}]}'
  run_with "$manifest"
  assert_equal 0 "$status" 'exit status'
  assert_match 'no_such_function' "$stderr"
  run_with CALLMETER_STRICT=1 "$manifest"
  assert_equal 78 "$status" 'exit status'
  assert_equal '' "$output" 'output'
  assert_match 'no_such_function' "$stderr"
  run -78 "$callmeter" run --strict -m "$manifest" -l none -- "$(target greeter)" greet 2
  manifest_json '{"version": 1, "functions": [{"symbol": "greet"}, {"symbol": "no_such_function", "optional": true}]}'
  run_with CALLMETER_STRICT=1 "$manifest"
  assert_equal 0 "$status" 'exit status'
  assert_equal '' "$stderr" 'standard error'
}

@test "CALLMETER_LOG=off keeps stderr clean, and debug keeps to the form of a line" {
  run_with CALLMETER_LOG=off "$bad/buckets_equal.json"
  assert_equal '' "$stderr" 'standard error'
  assert_equal 0 "$status" 'exit status'
  manifest_of greet
  run_with CALLMETER_LOG=debug "$manifest"
  assert_equal 0 "$status" 'exit status'
  assert_equal '' "$(grep -vE '^callmeter\[[0-9]+\]: (error|warn|info|debug): ' <<<"$stderr")" 'lines of another form'
}

@test "a line of the log is one line, whatever the names of files hold" {
  local name=$'no\nsuch\e[31m'
  manifest_of greet
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$name" "$(target greeter)" greet 1 </dev/null
  assert_match 'error: the program runs uninstrumented: no\?such\?\[31m: ' "$output"
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none CALLMETER_STATE_DIR="/$name" \
    "$(target greeter)" greet 1 </dev/null
  assert_match 'warn: state: /no\?such\?\[31m: ' "$output"
  run -127 "$callmeter" run -m "$manifest" -- "$name"
  assert_equal 'callmeter: no?such?[31m: not found' "$output" 'standard error'
}
