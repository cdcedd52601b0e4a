# What `check` says of values that calls have, and of functions that are named by build id and offset.

bats_require_minimum_version 1.5.0

load lib/helper

# check_functions ENTRIES PROGRAM: the text form, of a manifest with these entries.
check_functions() {
  manifest_json "{\"version\": 1, \"functions\": [$1]}"
  run --separate-stderr "$callmeter" check -m "$manifest" "$2"
}

# labelled FUNCTION VALUE: an entry with one label, x.
labelled() {
  printf '{"symbol": "%s", "labels": {"x": %s}}' "$1" "$2"
}

# build_id PROGRAM, address PROGRAM FUNCTION
build_id() {
  readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

address() {
  nm "$1" | awk -v name="$2" '$3 == name { sub(/^0*/, "", $1); print "0x" $1 }'
}

# strip_to PROGRAM [OPTION...]: a copy of the victim without what the options (default: --strip-all) take away.
strip_to() {
  local to=$1
  shift
  objcopy "${@:---strip-all}" "$(target parameters)" "$to"
}

@test "check prints where each value is" {
  check_functions "$(labelled query '{"param": "table"}'), $(labelled serve '{"param": "request", "field": "method"}')" "$(target parameters)"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  assert_match $'query [^\n]* full\n    x = argument 2, char \\* \\(debug information\\)\n' "$output"
  assert_match $'serve [^\n]* full\n    x = argument 1 -> offset 6, char\\[12\\]' "$output"
  check_functions "$(labelled query '{"param": "budget"}'), $(labelled serve '{"param": "request", "field": "path"}')" "$(target parameters)"
  assert_match 'x = floating-point argument 1, double' "$output"
  assert_match 'x = argument 1 -> offset 24, char \*' "$output"
  check_functions "$(labelled query '{"arg": 3, "type": "uint64"}'), $(labelled serve '{"param": "request", "field": "method_len"}')" "$(target parameters)"
  assert_match 'x = argument 3, uint64' "$output"
  assert_match 'x = argument 1 -> offset 4, int16' "$output"
}

@test "check prints labels, items and gauges in this order" {
  manifest_json '{"version": 1, "functions": [{"symbol": "query", "kind": "worker", "returns": "int", "items": {"param": "rows"},
    "labels": {"b": {"ret": true}, "a": {"param": "connection"}}}],
    "resources": [{"name": "budget", "in_use": {"function": "query", "param": "budget"}, "limit": {"value": 10}}]}'
  run -0 --separate-stderr "$callmeter" check -m "$manifest" "$(target parameters)"
  assert_match $'    a = argument 1, int32 \\(debug information\\)\n    b = result, int32 \\(debug information\\)\n    items = argument 3, uint64 \\(debug information\\)\n    resource budget in_use = floating-point argument 1, double \\(debug information\\)' "$output"
}

@test "check --json has the values of each function" {
  manifest_json "{\"version\": 1, \"functions\": [$(labelled query '{"param": "table"}'), {\"symbol\": \"serve\"}]}"
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target parameters)"
  jq -e '.functions[0].values == [{"name": "x", "location": "argument 2, char *", "proof": "debug information"}] and .functions[1].values == []' <<<"$output" ||
    fail "$output"
}

@test "a parameter that is not there is refused, with those that are" {
  check_functions "$(labelled query '{"param": "tabel"}')" "$(target parameters)"
  assert_equal 1 "$status" 'exit status'
  assert_match 'refused +label "x": parameter "tabel": the function has no parameter of that name; it has connection, table, budget, rows' "$output"
  check_functions "$(labelled serve '{"param": "request", "field": "methods"}')" "$(target parameters)"
  assert_match 'member "methods": struct request has no member of that name; it has id, method_len, method, path, is_last' "$output"
  check_functions "$(labelled serve '{"param": "request", "field": "is_last"}')" "$(target parameters)"
  assert_match 'member "is_last": it is a bit field' "$output"
  check_functions "$(labelled serve '{"param": "request", "field": "id", "type": "double"}')" "$(target parameters)"
  assert_match '"type" does not agree' "$output"
}

@test "without debug information, check says what would help" {
  local program=$BATS_TEST_TMPDIR/plain
  strip_to "$program" --strip-debug
  check_functions "$(labelled query '{"param": "table"}')" "$program"
  assert_equal 1 "$status" 'exit status'
  assert_match "no debug information for plain \(build id $(build_id "$program")\): install its -dbgsym package, build with -g, or give \"arg\"" "$output"
  check_functions "$(labelled query '{"arg": 2, "type": "cstring"}')" "$program"
  assert_equal 0 "$status" 'exit status'
  assert_match 'x = argument 2, char \*' "$output"
}

@test "debug information in a file beside the program is found" {
  local program=$BATS_TEST_TMPDIR/plain
  objcopy --only-keep-debug --compress-debug-sections "$(target parameters)" "$program.debug"
  strip_to "$program" --strip-all "--add-gnu-debuglink=$program.debug"
  check_functions "$(labelled query '{"param": "table"}')" "$program"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  assert_match 'x = argument 2, char \*' "$output"
}

@test "a function of a stripped program is named by build id and offset" {
  local program=$BATS_TEST_TMPDIR/plain offset id
  strip_to "$program"
  offset=$(address "$(target parameters)" serve)
  id=$(build_id "$program")
  check_functions "{\"build_id\": \"$id\", \"offset\": \"$offset\", \"name\": \"serve\"}, {\"build_id\": \"$id\", \"offset\": \"$(address "$(target parameters)" query)\"}" "$program"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  assert_match "serve +plain +$offset  full" "$output"
  assert_match "0x[0-9a-f]+ +plain +0x[0-9a-f]+  full" "$output"
  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$program"
  jq -e --arg offset "$offset" '.functions[0] | .symbol == $offset and .address == $offset and .name == "serve" and .size > 4' <<<"$output" ||
    fail "$output"
}

@test "a place that is no function's beginning, or in no object, is refused" {
  local program=$BATS_TEST_TMPDIR/plain offset id inside
  strip_to "$program"
  offset=$(address "$(target parameters)" serve)
  id=$(build_id "$program")
  inside=$(printf '0x%x' $((offset + 4)))
  check_functions "{\"build_id\": \"$id\", \"offset\": \"$inside\"}" "$program"
  assert_equal 1 "$status" 'exit status'
  assert_match "refused +offset $inside is inside of a function that begins at $offset" "$output"
  check_functions "{\"build_id\": \"$id\", \"offset\": \"$inside\"}" "$(target parameters)"
  assert_match "refused +offset $inside is inside of serve, which begins at $offset" "$output"
  check_functions "{\"build_id\": \"$id\", \"offset\": \"0x10\"}" "$program"
  assert_match 'refused +offset 0x10 is not in the code of plain' "$output"
  check_functions "{\"build_id\": \"00112233\", \"offset\": \"$offset\"}" "$program"
  assert_equal 1 "$status" 'exit status'
  assert_match "missing +no object with build id 00112233 is loaded; plain has $id" "$output"
}

@test "a stripped program is metered by build id and offset" {
  local program=$BATS_TEST_TMPDIR/plain
  strip_to "$program"
  manifest_json "{\"version\": 1, \"functions\": [{\"build_id\": \"$(build_id "$program")\", \"offset\": \"$(address "$(target parameters)" serve)\", \"name\": \"serve\"}]}"
  start_metered "$program" 25
  wait_done
  scrape
  assert_truth serve success=25
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "check tells of copies that were inlined" {
  check_functions '{"symbol": "weigh"}' "$(target parameters)"
  assert_equal 0 "$status" 'exit status'
  assert_match 'weigh .* full +inlined at 2 places, which are not counted' "$output"
  check_functions '{"symbol": "weigh_all"}' "$(target parameters)"
  [[ $output != *inlined* ]] || fail "$output"
}
