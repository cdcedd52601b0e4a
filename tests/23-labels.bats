# Labels whose values come from calls, types of errors, sampling, and gauges of the program's own variables.

load lib/helper
load lib/samples

# value_of FUNCTION VALUE [KEYS]: an entry whose label "value" is VALUE.
value_of() {
  printf '{"symbol": "%s", "labels": {"value": %s}%s}' "$1" "$2" "${3:+, $3}"
}

# entries ENTRY...: the manifest of these functions.
entries() {
  local IFS=,
  manifest_json "{\"version\": 1, \"functions\": [$*]}"
}

# name_of [KEYS_OF_LABEL [KEYS]]
name_of() {
  entries "{\"symbol\": \"by_name\", \"labels\": {\"name\": {\"arg\": 1, \"type\": \"cstring\"${1:+, $1}}}${2:+, $2}}"
}

### Values

@test "integer arguments of every type, at the ends of their ranges" {
  entries "$(value_of by_int '{"arg": 1, "type": "int"}')" "$(value_of by_uint32 '{"arg": 1, "type": "uint32"}')" \
    "$(value_of by_int64 '{"arg": 1, "type": "int64"}')" "$(value_of by_uint64 '{"arg": 1, "type": "uint64"}')"
  meter_samples labels-values integers
}

@test "narrow arguments with rubbish above them in the register" {
  entries "$(value_of by_int '{"arg": 1, "type": "int32"}')" "$(value_of by_uint32 '{"arg": 1, "type": "uint32"}')" \
    "$(value_of by_bool '{"arg": 1, "type": "bool"}')"
  meter_samples labels-values rubbish
}

@test "pointers and truth values" {
  entries "$(value_of by_pointer '{"arg": 1, "type": "pointer"}')" "$(value_of by_bool '{"arg": 1, "type": "bool"}')"
  meter_samples labels-values pointers
}

@test "floating-point arguments, in registers and on the stack" {
  entries "$(value_of by_float '{"farg": 1, "type": "float"}')" "$(value_of by_double '{"farg": 2, "type": "double"}')" \
    "$(value_of by_ninth_double '{"farg": 9, "type": "double"}')"
  meter_samples labels-values floats
}

@test "the sixth argument in its register, and the seventh and tenth on the stack" {
  entries "$(value_of by_sixth '{"arg": 6, "type": "int"}')" "$(value_of by_seventh '{"arg": 7, "type": "long"}')" \
    "$(value_of by_tenth '{"arg": 10, "type": "cstring"}')"
  meter_samples labels-values stack
}

# each_label PLACE TYPE: labels a to h of the first eight arguments.
each_label() {
  local name list='' number=0
  for name in a b c d e f g h; do list+="${list:+, }\"$name\": {\"$1\": $((++number)), \"type\": \"$2\"}"; done
  printf '{%s}' "$list"
}

@test "each register that holds an argument" {
  entries "{\"symbol\": \"by_eight\", \"labels\": $(each_label arg int)}" \
    "{\"symbol\": \"by_eight_doubles\", \"labels\": $(each_label farg double)}"
  meter_samples labels-values registers
}

@test "results of every kind" {
  entries "$(value_of by_int '{"ret": true}' '"returns": "int"')" \
    "$(value_of answer_double '{"ret": true}' '"returns": "double"')" \
    "$(value_of by_pointer '{"ret": true}' '"returns": "pointer"')" \
    "$(value_of answer_bool '{"ret": true}' '"returns": "bool"')"
  meter_samples labels-values results
}

@test "two arguments and the result combine, and each tuple is judged for itself" {
  entries '{"symbol": "combine", "returns": "int", "error_when": "ret < 0", "labels": {
    "table": {"arg": 1, "type": "cstring"}, "shard": {"arg": 2, "type": "int"}, "result": {"ret": true}}}'
  meter_samples labels-values combined
}

@test "a map renames values, and two that get one name are one series" {
  entries "$(value_of by_int '{"arg": 1, "type": "int", "max_values": 250, "map": {"0": "none", "1": "few", "2": "few", "199": "many"}}')"
  start_metered "$(target labels-values)" many
  wait_done
  scrape
  assert_samples 'sample calls_total{function="by_int",value="none",outcome="success"} 1' \
    'sample calls_total{function="by_int",value="few",outcome="success"} 5' \
    'sample calls_total{function="by_int",value="many",outcome="success"} 200' \
    'sample calls_total{function="by_int",value="3",outcome="success"} 4' \
    'series calls_total{function="by_int",value="1"} 0' 'series calls_active{function="by_int"} 199'
  release
}

@test "arguments and members of structs by name, where the program has debug information" {
  manifest_json '{"version": 1, "functions": [
    {"symbol": "process_message", "kind": "message_processor", "returns": "int",
     "error_when": "ret < 0", "throttled_when": "ret > 0",
     "labels": {"type": {"param": "message", "field": "type", "map": {"0": "order", "1": "refund", "2": "heartbeat"}}}}]}'
  meter_samples kind-message_processor
  manifest_json '{"version": 1, "functions": [
    {"symbol": "drain", "kind": "worker", "labels": {"queue": {"param": "name"}}, "items": {"param": "count"},
     "returns": "int", "error_when": "ret < 0"},
    {"symbol": "drain_rest", "kind": "worker", "items": {"param": "count"}},
    {"symbol": "take_in", "kind": "worker", "items": {"param": "count"}}]}'
  meter_samples kind-worker
}

@test "labels of arguments in functions that are only counted" {
  entries "$(value_of by_int '{"arg": 1, "type": "int"}' '"mode": "count"')" \
    "$(value_of by_int64 '{"arg": 1, "type": "int64"}' '"mode": "count"')"
  start_metered "$(target labels-values)" integers
  wait_done
  scrape
  assert_metric 2 manifest_functions state=count
  assert_said '^sample calls_total\{function="by_int(64)?",.*outcome="success"'
  assert_metric '(0 samples)' call_duration_seconds_count function=by_int
  release
}

@test "each register that holds an argument of a function that is only counted" {
  entries "{\"symbol\": \"by_eight\", \"mode\": \"count\", \"labels\": $(each_label arg int)}" \
    "{\"symbol\": \"by_eight_doubles\", \"mode\": \"count\", \"labels\": $(each_label farg double)}"
  start_metered "$(target labels-values)" registers
  wait_done
  scrape
  assert_metric 2 manifest_functions state=count
  assert_said '^sample calls_total'
  release
}

@test "functions that a glob matches have the labels each for itself" {
  entries "$(value_of 'by_*int64' '{"arg": 1, "type": "uint64"}')"
  start_metered "$(target labels-values)" integers
  wait_done
  scrape
  assert_said 'function="by_uint64"'
  assert_scrape 'sample calls_total{function="by_int64",value="18446744073709551611",outcome="success"} 1400' \
    'series calls_total{function="by_uint32"} 0'
  release
}

### Caps

@test "values above the cap are folded into _other, counted, and logged once" {
  entries "$(value_of by_int '{"arg": 1, "type": "int", "max_values": 20}')"
  start_metered "$(target labels-values)" many
  wait_done
  scrape
  # 0 to 19 came first: 210 calls of 20100.
  assert_samples 'series calls_active{function="by_int"} 21' \
    'sample calls_total{function="by_int",value="19",outcome="success"} 20' \
    'series calls_total{function="by_int",value="20"} 0' \
    'sample calls_total{function="by_int",value="_other",outcome="success"} 19890' \
    'sample call_duration_seconds_count{function="by_int",value="_other"} 19890' \
    'sample label_overflows_total{function="by_int",label="value"} 19890'
  # The server thread says so, within a second. The next line of its kind would be there with a scrape after that.
  wait_until grep -q ' warn: ' "$run_dir/err"
  scrape
  assert_lines 1 "$run_dir/err" '^callmeter\[[0-9]+\]: warn: .*by_int.*value'
  release
}

@test "the cap of the defaults holds where a label has none" {
  manifest_json '{"version": 1, "defaults": {"max_label_values": 30}, "functions": [
    {"symbol": "by_int", "labels": {"value": {"arg": 1, "type": "int"}}}]}'
  start_metered "$(target labels-values)" many
  wait_done
  scrape
  assert_samples 'series calls_active{function="by_int"} 31'
  release

  entries "$(value_of by_int '{"arg": 1, "type": "int"}')"
  start_metered "$(target labels-values)" many
  wait_done
  scrape
  assert_samples 'series calls_active{function="by_int"} 101'
  release
}

@test "a cap above 1000 with high_cardinality" {
  entries "$(value_of by_int '{"arg": 1, "type": "int", "max_values": 1500, "high_cardinality": true}')"
  meter_samples labels-values very_many
}

@test "the cap is on the tuples of two labels" {
  entries '{"symbol": "combine", "labels": {"table": {"arg": 1, "type": "cstring", "max_values": 3},
    "shard": {"arg": 2, "type": "int", "max_values": 5}}}'
  start_metered "$(target labels-values)" combined
  wait_done
  scrape
  # Eight tuples, 30 calls each; the larger of the two caps holds.
  assert_scrape 'series calls_active{function="combine"} 6' \
    'sample calls_total{function="combine",table="_other",shard="_other",outcome="success"} 90' \
    'sample label_overflows_total{function="combine",label="table"} 90' \
    'sample label_overflows_total{function="combine",label="shard"} 90'
  release
}

### Strings

@test "strings in read-only data, data, heap, stacks and mappings" {
  name_of
  meter_samples labels-strings places
}

@test "strings are cut at 64 bytes, where a character begins" {
  name_of
  meter_samples labels-strings lengths
  meter_samples labels-strings alike
}

@test "bytes that are no UTF-8 are replaced" {
  name_of
  meter_samples labels-strings broken
  meter_samples labels-strings broken_long
}

@test "quotes, backslashes and newlines in values are escaped" {
  name_of
  meter_samples labels-strings escapes
  ! command -v promtool >/dev/null || promtool check metrics <"$run_dir/metrics"
}

@test "bad pointers give the value invalid: null, wild, non-canonical, unmapped, forbidden, beyond a file, without an end" {
  name_of
  meter_samples labels-strings bad
}

@test "pages that the program forbids within its data and its heap give the value invalid" {
  name_of
  meter_samples labels-strings guarded
}

# Where no signal is claimed, nobody would go on behind a load that faults.
@test "the last bytes of the heap, where faults are caught and where none is" {
  name_of
  meter_samples labels-strings heap_end
  jq '.panics = {"signals": []}' "$manifest" >"$manifest.bare" && mv "$manifest.bare" "$manifest"
  meter_samples labels-strings heap_end
}

@test "the program's own handlers for SIGSEGV and SIGBUS hear nothing of bad strings" {
  name_of
  meter_samples labels-strings handled
}

@test "bad strings in a thread that blocks all signals" {
  name_of
  meter_samples labels-strings blocked
}

@test "bad strings on the smallest stack that a thread may have" {
  name_of
  meter_samples labels-strings small_stack
}

@test "a page that is forbidden and allowed while a string in it is read" {
  name_of
  meter_samples labels-strings flickering
}

### At the same time

@test "threads that bring the same new values at once make no series twice" {
  name_of
  meter_samples labels-threads same
}

@test "threads that bring different new values at once lose none" {
  name_of '"max_values": 4000, "high_cardinality": true' '"buckets": []'
  meter_samples labels-threads own
}

@test "two threads at the first call of a value lose none" {
  name_of '"max_values": 4000, "high_cardinality": true' '"buckets": []'
  meter_samples labels-threads in_step
}

@test "threads that bring more values than the cap: the sum is exact" {
  local other overflows
  name_of '"max_values": 50'
  start_metered "$(target labels-threads)" folded
  wait_done
  scrape
  assert_samples 'series calls_active{function="by_name"} 51'
  other=$(metric calls_total function=by_name name=_other outcome=success)
  overflows=$(metric label_overflows_total function=by_name label=name)
  assert_equal "$other" "$overflows" 'overflows'
  # Of 4000 values that come 20 times each, 3950 have no place.
  assert_equal $((3950 * 20)) "$other" 'calls in _other'
  release
}

@test "forked children share the values of their parent" {
  name_of
  meter_samples labels-threads forked
}

@test "children that are forked while other threads bring new values" {
  name_of '"max_values": 1000'
  meter_samples labels-threads forked_amid
}

@test "children that are killed while they bring new values hold up nobody" {
  name_of '"max_values": 10000, "high_cardinality": true' '"buckets": []'
  meter_samples labels-threads killed
}

@test "a signal handler that interrupts labelled calls makes such calls itself" {
  name_of '"max_values": 5000, "high_cardinality": true' '"buckets": []'
  start_metered "$(target labels-threads)" interrupted
  wait_done
  scrape
  assert_samples
  release
  assert_equal 0 "$exit_status" 'exit status'
}

### Leaving

@test "exceptions and jumps out of calls with labels of arguments" {
  entries '{"symbol": "serve", "labels": {"name": {"arg": 1, "type": "cstring"}}}'
  meter_samples labels-leaving arguments
}

@test "exceptions and jumps out of calls with labels of results: those have no value" {
  entries '{"symbol": "serve", "returns": "int", "labels": {"name": {"arg": 1, "type": "cstring"}, "result": {"ret": true}}}' \
    '{"symbol": "outer", "returns": "int", "labels": {"name": {"arg": 1, "type": "cstring"}, "result": {"ret": true}}}'
  meter_samples labels-leaving results
}

@test "threads that end within labelled calls" {
  entries '{"symbol": "leave_thread", "labels": {"name": {"arg": 1, "type": "cstring"}}}'
  meter_samples labels-leaving threads
}

@test "processes that are killed, and threads that end, within calls with labels of arguments and results" {
  entries '{"symbol": "stay", "returns": "int", "labels": {"name": {"arg": 1, "type": "cstring"}, "result": {"ret": true}}}'
  meter_samples labels-leaving killed-within
  meter_samples labels-leaving ended-within
}

### SQLite

@test "200 statements of the real SQLite under a cap of 50: 50 values and _other, and the sum is exact" {
  require_target labels-sqlite
  entries '{"symbol": "sqlite3_prepare_v3", "object": "libsqlite3.so.0", "kind": "query", "returns": "int",
    "error_when": "ret != 0",
    "labels": {"database": "memory", "table": {"arg": 2, "type": "cstring", "max_values": 50}}}'
  meter_samples labels-sqlite
}

### Types of errors

@test "errors by the name of errno, and those that have none" {
  entries '{"symbol": "fail_by_errno", "error_when": "ret < 0", "error_type": "errno"}'
  meter_samples labels-errors errno
  meter_samples labels-errors no_errno
}

@test "errors by result, under a cap, and with labels beside them" {
  entries '{"symbol": "fail_by_result", "returns": "long", "error_when": "ret < 0", "error_type": "ret"}'
  start_metered "$(target labels-errors)" result
  wait_done
  scrape
  assert_samples 'series call_errors_total{function="fail_by_result"} 101' \
    'sample call_errors_total{function="fail_by_result",error_type="-200"} 4' \
    'sample call_errors_total{function="fail_by_result",error_type="-101"} 4' \
    'sample call_errors_total{function="fail_by_result",error_type="_other"} 400' \
    'sample label_overflows_total{function="fail_by_result",label="error_type"} 400'
  release

  entries '{"symbol": "fail_by_result", "returns": "long", "error_when": "ret < 0", "error_type": "ret",
    "labels": {"result": {"ret": true, "max_values": 20}}}'
  start_metered "$(target labels-errors)" result
  wait_done
  scrape
  assert_scrape 'total call_errors_total{function="fail_by_result"} 800' \
    'sample label_overflows_total{function="fail_by_result",label="error_type"} 720'
  release

  entries '{"symbol": "fail_by_pointer", "returns": "pointer", "error_when": "ret == null", "error_type": "ret"}'
  meter_samples labels-errors pointer
}

### Sampling

sampled() {
  entries "{\"symbol\": \"$1\", \"sample_rate\": $2${3:+, $3}}"
}

# One run in 370 is outside of three standard deviations by right; two in a row are not.
meter_twice() {
  meter_samples "$@" || meter_samples "$@"
}

@test "10 million calls of four threads at a sample rate of 0.01: counted exactly, timed by share" {
  sampled tick 0.01
  meter_twice labels-sampling plain 0.01
  assert_metric 100 sample_interval_calls function=tick
}

@test "outcomes of sampled calls are exact" {
  sampled judged 0.01 '"error_when": "ret < 0", "throttled_when": "ret == 1"'
  meter_twice labels-sampling outcomes 0.01
}

@test "labels of sampled calls are exact" {
  sampled by_kind 0.1 '"labels": {"number": {"arg": 1, "type": "int"}}'
  meter_samples labels-sampling labels 0.1
  sampled by_kind 0.1 '"returns": "int", "labels": {"number": {"ret": true}}'
  meter_samples labels-sampling labels 0.1
}

@test "a sample rate that is no whole interval" {
  sampled tick 0.3
  meter_twice labels-sampling plain 0.3
}

@test "sampling does not fall in step with what is periodic" {
  local words least most slow
  manifest_json '{"version": 1, "functions": [{"symbol": "periodic", "sample_rate": 0.01, "buckets": [2e-05]}]}'
  start_metered "$(target labels-sampling)" lockstep 0.01
  wait_done
  scrape
  assert_samples
  read -r -a words < <(grep '^slow ' "$run_dir/out")
  least=${words[1]} most=${words[2]}
  slow=$(($(metric call_duration_seconds_count function=periodic) - $(metric call_duration_seconds_bucket function=periodic le=2e-05)))
  ((slow >= least && slow <= most)) || fail "slow calls: expected $least to $most, found $slow"
  release
}

@test "exceptions and jumps out of sampled calls that are judged: outcomes are exact" {
  sampled serve 0.05 '"error_when": "ret < 0", "labels": {"name": {"arg": 1, "type": "cstring"}}'
  start_metered "$(target labels-leaving)" arguments
  wait_done
  scrape
  assert_said 'calls_(total|active)'
  release
}

@test "what the kinds add is exact when calls are sampled" {
  manifest_json '{"version": 1, "defaults": {"sample_rate": 0.01}, "functions": [
    {"symbol": "drain", "kind": "worker", "labels": {"queue": {"arg": 2, "type": "cstring"}},
     "items": {"arg": 3, "type": "uint32"}, "returns": "int", "error_when": "ret < 0"},
    {"symbol": "drain_rest", "kind": "worker", "items": {"arg": 3, "type": "uint32"}},
    {"symbol": "take_in", "kind": "worker", "items": {"arg": 1, "type": "long"}}]}'
  start_metered "$(target kind-worker)"
  wait_done
  scrape
  assert_said '_total|timestamp'
  release

  manifest_json '{"version": 1, "functions": [{"symbol": "poll_once", "kind": "loop", "sample_rate": 0.01}]}'
  start_metered "$(target kind-loop)"
  wait_done
  scrape
  assert_said 'loop_interval|timestamp'
  assert_metric 21500 calls_total function=poll_once outcome=success
  release
}

@test "defaults give the sample rate of functions that have none" {
  manifest_json '{"version": 1, "defaults": {"sample_rate": 0.05}, "functions": [{"symbol": "tick"},
    {"symbol": "judged", "sample_rate": 1}]}'
  start_metered "$(target labels-sampling)" plain 0.05
  wait_done
  scrape
  assert_metric 10000000 calls_total function=tick outcome=success
  assert_metric 20 sample_interval_calls function=tick
  assert_metric 1 sample_interval_calls function=judged
  release
}

### Resources

# assert_resource NAME IN_USE [LIMIT]
assert_resource() {
  assert_metric "$2" resource_in_use "resource=$1"
  assert_metric "${3-(0 samples)}" resource_limit "resource=$1"
}

@test "resources: variables of every type, behind an offset and a pointer, constants, arguments and results" {
  manifest_json '{"version": 1,
    "functions": [{"symbol": "set_limit", "returns": "int"}],
    "resources": [
      {"name": "int", "in_use": {"global": "pool_int", "type": "int"}, "limit": {"value": 1000.5}},
      {"name": "uint32", "in_use": {"global": "pool_uint32", "type": "uint32"}},
      {"name": "int64", "in_use": {"global": "pool_int64", "type": "int64"}},
      {"name": "uint64", "in_use": {"global": "pool_uint64", "type": "uint64"}},
      {"name": "pool", "in_use": {"global": "pool", "type": "int64"},
       "limit": {"global": "pool", "offset": 8, "type": "uint32"}},
      {"name": "load", "in_use": {"global": "pool", "offset": 12, "type": "float"},
       "limit": {"global": "pool", "offset": "0x10", "type": "double"}},
      {"name": "full", "in_use": {"global": "pool", "offset": 24, "type": "bool"}},
      {"name": "behind", "in_use": {"global": "pool_behind", "deref": true, "type": "int64"},
       "limit": {"global": "pool_behind", "offset": 24, "deref": true, "type": "bool"}},
      {"name": "called", "in_use": {"function": "set_limit", "ret": true, "type": "int"},
       "limit": {"function": "set_limit", "arg": 2, "type": "int"}},
      {"name": "shared", "in_use": {"function": "set_limit", "farg": 1, "type": "double"}}]}'
  start_metered "$(target labels-resources)"
  wait_done
  scrape
  assert_resource int -3 1000.5
  assert_resource uint32 4294967295
  assert_resource int64 -9.223372036854776e+18
  assert_resource uint64 1152921504606846976
  assert_resource pool 7 50
  assert_resource load 0.5 0.125
  assert_resource full 1
  assert_resource behind 12 0
  # Nobody has called it yet.
  assert_resource called '(0 samples)'
  printf xy >&"$input_fd"
  wait_until said 'changed 2'
  scrape
  assert_resource int 17 1000.5
  assert_resource pool 102 50
  assert_resource load 2.25 0.125
  assert_resource behind 1002 0
  assert_resource called 61 62
  assert_resource shared 0.75
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "resources: an address that cannot be read leaves its sample out, is told of, and harms nobody" {
  manifest_json '{"version": 1, "functions": [{"symbol": "set_limit"}], "resources": [
      {"name": "null", "in_use": {"global": "pool_null", "deref": true, "type": "int"}, "limit": {"value": 5}},
      {"name": "wild", "in_use": {"global": "pool_wild", "deref": true, "type": "int64"}},
      {"name": "gone", "in_use": {"global": "pool_gone", "deref": true, "offset": 64, "type": "int64"}},
      {"name": "missing", "in_use": {"global": "no_such_variable", "type": "int64"}},
      {"name": "good", "in_use": {"global": "pool_int", "type": "int"}}]}'
  start_metered "$(target labels-resources)"
  wait_done
  scrape
  assert_resource null '(0 samples)' 5
  assert_resource wild '(0 samples)'
  assert_resource gone '(0 samples)'
  assert_resource missing '(0 samples)'
  assert_resource good -3
  scrape
  assert_lines 1 "$run_dir/err" 'no_such_variable'
  wait_until grep -q pool_wild "$run_dir/err"
  assert_lines 1 "$run_dir/err" 'pool_wild|resource.*wild'
  release
  assert_equal 0 "$exit_status" 'exit status'
}
