# No value is exported that is not proven: functions whose signatures compilers change. FULL=1: in all ways of compiling.

bats_require_minimum_version 1.5.0

load lib/helper

c_source=$root/tests/targets/changed-signatures.c

# build_victim COMPILER OPTION...: the C victim, as $program. Skips where the compiler is not there.
build_victim() {
  command -v "$1" >/dev/null || skip "$1 is not here"
  program=$BATS_TEST_TMPDIR/victim
  "$@" -w -rdynamic -fvisibility=hidden -I "$root/tests/targets" "$c_source" -o "$program"
}

# check ENTRY...: of $program; sets output and status.
check() {
  local IFS=,
  manifest_json "{\"version\": 1, \"functions\": [$*]}"
  run --separate-stderr "$callmeter" check -m "$manifest" "$program"
}

# entry SYMBOL MEMBERS
entry() {
  printf '{"symbol": "%s", %s}' "$1" "$2"
}

labelled() {
  entry "$1" "\"labels\": {\"x\": $2}"
}

# assert_process_agrees: the process says of each function what check says: mode and reason.
assert_process_agrees() {
  local from_check from_process
  from_check=$("$callmeter" check --json -m "$manifest" "$program" | jq -r '.functions[] | "\(.name) \(.mode) \(.reason)"' | sort)
  start_metered "$program"
  wait_done
  scrape
  from_process=$(sed -n 's/^callmeter_function_info{.*function="\([^"]*\)".*mode="\([^"]*\)",reason="\(.*\)"} 1$/\1 \2 \3/p' \
    "$run_dir/metrics" | sed 's/\\"/"/g' | sort)
  assert_equal "$from_check" "$from_process" 'modes and reasons'
}

# hold_to_truth SOURCE FULL_WAYS WAY...: every value is the program's, or is refused.
hold_to_truth() {
  local source=$root/tests/targets/$1
  shift
  [[ -z ${FULL:-} ]] || set --
  run timeout 900 python3 "$root/tests/lib/signatures.py" "$callmeter" "$shim" "$BATS_TEST_TMPDIR" "$source" "$@"
  printf '%s\n' "$output" >&3
  assert_equal 0 "$status" 'exit status' || fail "$output"
}

@test "C: each value is what the program passed, or is refused" {
  command -v clang >/dev/null || skip 'clang is not here'
  hold_to_truth changed-signatures.c clang:-O2,-g clang:-O2 clang:-O3,-flto,-g clang:-O0,-g gcc:-O2,-g gcc:-O3,-flto gcc:-Os
}

@test "C++: methods, lambdas, templates and objects by value" {
  command -v clang++ >/dev/null || skip 'clang++ is not here'
  hold_to_truth changed-methods.cpp clang:-O2,-g clang:-O0,-g clang:-O3,-flto gcc:-O2,-g gcc:-O3,-flto,-g
}

@test "Rust: by its places alone" {
  command -v rustc >/dev/null || skip 'rustc is not here'
  hold_to_truth changed-rust.rs rustc:-Copt-level=2,-g rustc:-Copt-level=0,-g rustc:-Copt-level=3
}

@test "parameters that clang moved are found by name, where debug information has them" {
  build_victim clang -O2 -g
  check "$(labelled dropped '{"param": "path"}')" "$(labelled no_context '{"param": "who"}')" \
    "$(labelled half '{"param": "pair", "field": "second"}')" "$(labelled many '{"param": "h"}')"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  assert_match $'dropped [^\n]* full\n    x = argument 2, char \\* \\(debug information\\)' "$output"
  assert_match $'no_context [^\n]* full\n    x = argument 2, char \\* \\(debug information\\)' "$output"
  assert_match $'half [^\n]* full\n    x = argument 1, int64 \\(debug information\\)' "$output"
  start_metered "$program"
  wait_done
  scrape
  assert_metric 6 calls_total function=dropped x=/0 outcome=success
  assert_metric 6 calls_total function=dropped x=/1 outcome=success
  assert_metric 6 calls_total function=no_context x=bob outcome=success
  assert_metric 3 calls_total function=half x=3 outcome=success
}

@test "by their numbers they are refused, by check and in the process" {
  build_victim clang -O3 -g
  check "$(labelled dropped '{"arg": 3, "type": "cstring"}')" "$(labelled dropped '{"arg": 2, "type": "int"}' | sed 's/"symbol"/"name": "unused", "symbol"/')" \
    "$(labelled promoted '{"param": "request", "field": "code"}')" "$(labelled constant '{"param": "k"}')" \
    "$(entry unused_result '"returns": "int", "error_when": "ret < 0"')" \
    "$(entry both '"returns": "long", "error_when": "ret < 0"')" \
    "$(labelled exported_unused '{"arg": 2, "type": "int"}')" "$(entry unused_result '"name": "plain"')"
  assert_equal 1 "$status" 'exit status'
  assert_match 'dropped [^\n]* refused +label "x": argument 3: the compiler moved it' "$output"
  assert_match 'unused [^\n]* refused +label "x": argument 2: the compiler left it out' "$output"
  assert_match 'promoted [^\n]* refused +label "x": parameter "request": the compiler left it out' "$output"
  assert_match 'constant [^\n]* refused +label "x": parameter "k": the compiler left it out' "$output"
  assert_match 'unused_result [^\n]* refused +error_when: the result is: not proven' "$output"
  assert_match 'both [^\n]* refused +error_when: the function does not return int64: struct pair both\(int w\)' "$output"
  assert_match 'exported_unused [^\n]* refused +label "x": argument 2: the compiler left it out' "$output"
  assert_match 'plain [^\n]* full' "$output"
  assert_process_agrees
}

@test "without debug information: what is exported, what GCC compiled, and what the user says" {
  build_victim clang -O2
  check "$(labelled no_context '{"arg": 3, "type": "cstring"}')" "$(labelled exported '{"arg": 3, "type": "cstring"}')" \
    "$(labelled exported_unused '{"arg": 2, "type": "int"}')" "$(entry exported_calls '"name": "e", "returns": "int", "error_when": "ret < 0"')" \
    "$(entry wide '"trust_signature": true, "labels": {"x": {"arg": 2, "type": "long"}}')"
  assert_equal 1 "$status" 'exit status'
  assert_match 'no_context [^\n]* refused +label "x": argument 3: not proven: it is not exported, and another compiler than GCC may have' "$output"
  assert_match 'install its -dbgsym package, build with -g, leave the value out, or set "trust_signature"' "$output"
  assert_match $'exported [^\n]* full\n    x = argument 3, char \\* \\(exported\\)' "$output"
  assert_match 'exported_unused [^\n]* refused +label "x": argument 2: not proven: the function.s code does not show' "$output"
  assert_match $'e [^\n]* full\n    error_when = result, int32 \\(exported\\)' "$output"
  assert_match $'wide [^\n]* full\n    x = argument 2, int64 \\(trust_signature\\)' "$output"
  assert_process_agrees
  clang -O2 -w -I "$root/tests/targets" "$c_source" -o "$program" # nothing is exported: no other object can call it
  check "$(labelled exported '{"arg": 3, "type": "cstring"}')"
  assert_match 'exported [^\n]* refused +label "x": argument 3: not proven: it is not exported' "$output"
  build_victim gcc -O0
  check "$(labelled no_context '{"arg": 3, "type": "cstring"}')" "$(entry unused_result '"returns": "int", "error_when": "ret < 0"')"
  assert_match $'no_context [^\n]* full\n    x = argument 3, char \\* \\(GCC alone\\)' "$output"
  assert_match $'unused_result [^\n]* full\n    error_when = result, int32 \\(GCC alone\\)' "$output"
  objcopy --remove-section=.comment "$program" "$program.plain"
  program=$program.plain
  check "$(labelled no_context '{"arg": 3, "type": "cstring"}')"
  assert_match 'refused +label "x": argument 3: not proven: it is not exported, and its object does not say that GCC alone' "$output"
}

@test "a clone that GCC made is not what the manifest names" {
  build_victim gcc -O2
  check "$(labelled constant '{"arg": 2, "type": "int"}')"
  assert_match 'refused +label "x": argument 2: not proven: it is a clone' "$output"
  build_victim gcc -O2 -g
  check "$(labelled constant '{"param": "w"}')" "$(labelled constant '{"arg": 2, "type": "int"}' | sed 's/"symbol"/"name": "n", "symbol"/')"
  assert_match $'constant [^\n]* full [^\n]*\n    x = argument 1, int32 \\(debug information\\)' "$output"
  assert_match 'n [^\n]* refused +label "x": argument 2: the compiler moved it' "$output"
}

@test "what debug information contradicts is an error that shows the prototype" {
  local value
  build_victim gcc -O0 -g
  check "$(labelled dropped '{"arg": 9, "type": "int"}')"
  assert_equal 1 "$status" 'exit status'
  assert_match 'refused +label "x": argument 9: the function has no such argument: int dropped\(int id, int unused, const char \*path, int code\)' "$output"
  for value in '{"arg": 1, "type": "cstring"}' '{"arg": 1, "type": "long"}' '{"arg": 3, "type": "int"}' '{"farg": 1, "type": "double"}'; do
    check "$(labelled dropped "$value")"
    assert_match 'refused +label "x": .*argument .*: int dropped\(int id, int unused, const char \*path, int code\)' "$output"
  done
  check "$(labelled mixed '{"arg": 1, "type": "int"}')" "$(entry mixed '"name": "n", "returns": "long", "error_when": "ret < 0"')" \
    "$(entry mixed '"name": "d", "returns": "double", "error_when": "ret < 0"')" "$(entry large '"error_when": "ret < 0"')" \
    "$(labelled variadic '{"arg": 2, "type": "int"}')" "$(entry wide '"error_when": "ret < 0"')"
  assert_match $'mixed [^\n]* full\n    x = argument 1, int32 \\(debug information\\)' "$output"
  assert_match 'n [^\n]* refused +error_when: the function does not return int64: int mixed\(double x, int a, float y' "$output"
  assert_match 'd [^\n]* refused +error_when: the function does not return double: int mixed' "$output"
  assert_match 'large [^\n]* refused +error_when: the function does not return int32: struct block large\(int k\)' "$output"
  assert_match $'variadic [^\n]* full\n    x = argument 2, int32 \\(GCC alone\\)' "$output"
  assert_match 'wide [^\n]* refused +error_when: the function does not return int32: long int wide\(int small, long int big\)' "$output"
}

@test "check and the process agree on entries for one address" {
  build_victim gcc -O0 -g
  check "$(entry dropped '"returns": "int", "error_when": "ret < 0"')" "$(entry dropped '"name": "again"')" \
    "$(entry wide '"buckets": [1]')" "$(entry wide '"name": "wider", "buckets": [2]')" \
    "$(labelled many '{"param": "a"}')" "$(entry many '"name": "more"')" \
    "$(entry narrow '"kind": "loop"')" "$(entry narrow '"name": "looped"')" \
    "$(entry half '"mode": "count"')" "$(entry half '"name": "timed"')" \
    "$(entry both '"labels": {"a": "1"}')" "$(entry both '"name": "also"')" '{"symbol": "exported*", "labels": {"a": "b"}}'
  assert_equal 1 "$status" 'exit status'
  assert_match 'again [^\n]* refused +another entry, in line 1 of the manifest, tracks the same code with other settings' "$output"
  assert_match 'more [^\n]* refused +another entry' "$output"
  assert_match 'also [^\n]* full' "$output"
  assert_process_agrees
}

@test "recover puts nothing in the place of a result that is not proven" {
  build_victim clang -O2
  check "$(entry unused_result '"returns": "int", "recover": {"return": 0}')" "$(entry exported '"returns": "int", "recover": {"return": 0}')"
  assert_match 'unused_result [^\n]* refused +recover: the result is: not proven' "$output"
  assert_match $'exported [^\n]* full\n    recover = result, int32 \\(exported\\)' "$output"
}

@test "check --json has the proof of each value" {
  build_victim gcc -O0 -g
  manifest_json "{\"version\": 1, \"functions\": [$(entry dropped '"returns": "int", "error_when": "ret < 0", "labels": {"x": {"param": "path"}}')]}"
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$program"
  jq -e '.functions[0].values == [{"name": "x", "location": "argument 3, char *", "proof": "debug information"},
    {"name": "error_when", "location": "result, int32", "proof": "debug information"}]' <<<"$output" || fail "$output"
}
