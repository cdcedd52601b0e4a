# Resources that are read from variables: wherever these are, and whatever becomes of them while they are read.

bats_require_minimum_version 1.5.0

load lib/helper

# resources GAUGES: a manifest with one function and, of each NAME=GAUGE, a resource.
resources() {
  local each list=
  for each; do
    list+="${list:+, }{\"name\": \"${each%%=*}\", \"in_use\": {${each#*=}}}"
  done
  manifest_json "{\"version\": 1, \"functions\": [{\"symbol\": \"place_function\", \"optional\": true}], \"resources\": [$list]}"
}

# global NAME TYPE [KEYS]: a gauge.
global() {
  printf '"global": "%s", "type": "%s"%s' "$1" "$2" "${3:+, $3}"
}

# order LETTER ANSWER: what the victim is to do, and its word that it has done so.
order() {
  printf %s "$1" >&"$input_fd"
  wait_until said "$2"
}

# assert_in_use NAME=NUMBER...: of the last scrape; without a number there is no sample.
assert_in_use() {
  local each
  for each; do
    assert_metric "${each#*=}" resource_in_use "resource=${each%%=*}" || return 1
  done
}

none='(0 samples)'

# told N PATTERN: so many lines of the log match it.
told() {
  [[ $(grep -cE -- "$2" "$run_dir/err") == "$1" ]]
}

@test "static variables, unaligned members and those of libraries are read as they change" {
  resources "static=$(global place_static int)" "packed=$(global place_packed int64 '"offset": 5')" \
    "level=$(global library_level int64)" "own=$(global library_own int64)" \
    "hidden=$(global library_static int '"object": "libresources.so*"')"
  start_metered "$(target resources-places)"
  wait_done
  scrape
  assert_in_use static=11 packed=-12 level=1 own=2 hidden=3
  order c changed
  scrape
  assert_in_use static=12 packed=-13 level=101 own=102 hidden=103
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "the program's copy of a library's variable is the one in use" {
  resources "level=$(global library_level int64 '"object": "libresources.so.1"')" \
    "own=$(global library_own int64 '"object": "libresources.so.1"')"
  readelf -rW "$(target resources-places-no-pie)" | grep -q 'R_X86_64_COPY.*library_level' || skip 'there is no copy'
  start_metered "$(target resources-places-no-pie)"
  wait_done
  order c changed
  scrape
  assert_in_use level=101 own=102
  release
}

@test "variables of C++ go by their demangled names" {
  resources 'connections='"$(global pools::connections int64)" 'idle='"$(global 'pools::(anonymous namespace)::idle' int)" \
    'count='"$(global 'pools::Pool<unsigned long>::count' uint64)" 'waiting='"$(global waiting uint32)" \
    'taken='"$(global 'take(int)::taken' int)"
  start_metered "$(target resources-namespaces)"
  wait_done
  scrape
  assert_in_use connections=21 idle=27 count=23 waiting=29 taken=25
  release
}

# Scrapes while the page cannot be read, until the log says so: whatever else it has to say of that scrape comes first.
hear_out() {
  order g guarded
  scrape
  wait_until told "$1" '"guarded"'
  order o opened
  : >"$run_dir/out"
  scrape
}

@test "what a pointer leads to comes and goes with it, and the log is told a few times" {
  local round
  resources "number=$(global place_heap int64 '"offset": 8, "deref": true')" "guarded=$(global place_guarded int64)"
  start_metered "$(target resources-places)"
  wait_done
  scrape
  assert_in_use "number=$none" guarded=0
  wait_until told 1 'resource "number": in_use, "place_heap" in resources-places, was a null pointer$'
  hear_out 1
  told 1 'was a null pointer' || fail 'told twice of one thing:' "$(cat "$run_dir/err")"
  for round in 2 3 4; do
    order m made
    scrape
    assert_in_use number=14
    order d dropped
    : >"$run_dir/out"
    scrape
    assert_in_use "number=$none"
    if ((round < 4)); then wait_until told "$round" 'was a null pointer'; fi
  done
  hear_out 2
  assert_lines 3 "$run_dir/err" 'was a null pointer'
  assert_lines 1 "$run_dir/err" 'was a null pointer \(not told again\)$'
  release
  assert_lines 5 "$run_dir/err" .
}

@test "memory that cannot be read leaves the sample out as long as that is so" {
  resources "guarded=$(global place_guarded int64 '"offset": 8')" "through=$(global place_guarded int64 '"deref": true')" \
    "edge=$(global place_edge uint32 '"deref": true')" "over=$(global place_edge uint64 '"deref": true')" \
    "behind=$(global place_edge bool '"deref": true, "offset": 4')" "far=$(global place_edge int64 '"deref": true, "offset": "0xfffffffffffffff8"')"
  start_metered "$(target resources-places)"
  wait_done
  scrape
  assert_in_use guarded=16 "through=$none" edge=15 "over=$none" "behind=$none" far=0
  order g guarded
  scrape
  assert_in_use "guarded=$none" "through=$none" edge=15
  wait_until told 1 'resource "guarded": in_use, "place_guarded" in resources-places, cannot be read at 0x[0-9a-f]+$'
  wait_until told 1 'resource "over": in_use, "place_edge" in resources-places, led to 0x[0-9a-f]+, where nothing can be read$'
  order o opened
  scrape
  assert_in_use guarded=16
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "pages that go away while they are read harm nobody" {
  local round value seen=0
  resources "moving=$(global place_moving int64 '"offset": 4088, "deref": true')"
  start_metered "$(target resources-places)"
  wait_done
  order s moving
  for ((round = 0; round < 300; round++)); do
    scrape
    value=$(metric resource_in_use resource=moving)
    [[ $value == 77 || $value == "$none" ]] || fail "a number that nobody wrote: $value"
    [[ $value == 77 ]] && seen=$((seen + 1))
  done
  ((seen)) || fail 'the number was never seen'
  order e moved
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "variables that are not to be read so are told of once, and the others are" {
  resources "absent=$(global place_statik int)" "thread=$(global place_thread int)" \
    "outside=$(global place_static int64)" "function=$(global place_function int)" \
    "elsewhere=$(global place_static int '"object": "libnowhere.so*"')" "small=$(global place_static int '"deref": true')" \
    "good=$(global place_static int)"
  start_metered CALLMETER_STRICT=1 "$(target resources-places)"
  wait_done
  scrape
  scrape
  assert_in_use "absent=$none" "thread=$none" "outside=$none" "function=$none" "elsewhere=$none" "small=$none" good=11
  assert_lines 1 "$run_dir/err" 'warn: resource "absent": in_use is left out: no variable called "place_statik" .*; did you mean "place_static"\?$'
  assert_lines 1 "$run_dir/err" 'resource "thread": .* thread-local'
  assert_lines 1 "$run_dir/err" 'resource "outside": .*: 8 bytes at offset 0 lie outside of "place_static", which has 4 bytes$'
  assert_lines 1 "$run_dir/err" 'resource "function": .*; that is a function$'
  assert_lines 1 "$run_dir/err" 'resource "elsewhere": .*: no object that matches "libnowhere.so\*" is loaded'
  assert_lines 1 "$run_dir/err" 'resource "small": .*: "place_static" has 4 bytes, and a pointer has 8$'
  assert_lines 6 "$run_dir/err" .
  release
}

@test "check says where each number would be read, or why it would not" {
  manifest_json '{"version": 1, "functions": [{"symbol": "place_function", "returns": "int"}], "resources": [
    {"name": "a", "in_use": {"global": "place_packed", "offset": 5, "type": "int64"}, "limit": {"value": 10.5}},
    {"name": "b", "in_use": {"global": "place_heap", "offset": 8, "deref": true, "type": "int64"},
     "limit": {"function": "place_function", "ret": true}},
    {"name": "c", "in_use": {"global": "library_level", "object": "libresources.so*", "type": "int64"}},
    {"name": "d", "in_use": {"global": "nowhere", "type": "int64"}}]}'
  run -0 --separate-stderr "$callmeter" check -m "$manifest" "$(target resources-places-no-pie)"
  address=0x$(nm "$(target resources-places-no-pie)" | awk '$3 == "place_packed" { sub(/^0*/, "", $1); print $1 }')
  assert_match "resource a in_use = place_packed, offset 5, int64, resources-places-no-pie $address"$'\n' "$output"
  assert_match $'\nresource a limit = 10.5\n' "$output"
  assert_match $'\nresource b in_use = place_heap -> offset 8, int64, resources-places-no-pie 0x[0-9a-f]+\n' "$output"
  assert_match $'\nresource b limit = from calls of place_function\n' "$output"
  assert_match $'\nresource c in_use = library_level, int64, resources-places-no-pie 0x[0-9a-f]+ \\(the program\'s copy of it\\)\n' "$output"
  assert_match $'\nresource d in_use = not read: no variable called "nowhere" in ' "$output"

  run -0 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target resources-places-no-pie)"
  jq -e --arg address "$address" '[.resources[].name] == ["a", "b", "c", "d"] and .resources[0].limit == {"value": 10.5} and
    .resources[0].in_use == {"global": "place_packed", "object": "resources-places-no-pie", "address": $address, "offset": 5,
      "deref": false, "type": "int64", "reason": ""} and
    .resources[1].limit == {"function": "place_function"} and .resources[2].limit == null and
    .resources[3].in_use.address == null and (.resources[3].in_use.reason | startswith("no variable called"))' <<<"$output" ||
    fail "$output"
}
