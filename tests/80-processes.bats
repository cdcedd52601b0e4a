# Trees of processes: one segment for all, whatever way a process comes and goes.

load lib/helper
load lib/trees

@test "a child returns through the calls in which it was made" {
  local way
  for way in fork quiet-fork system-call clone clone3; do
    meter_tree process-trees "$way" return
  done
}

@test "a child jumps or throws out of them" {
  local way
  for way in fork quiet-fork clone3; do
    meter_tree process-trees "$way" longjmp
    meter_tree process-trees "$way" throw
  done
}

@test "a child exits in them" {
  local way
  for way in exit-now exit quick-exit; do
    meter_tree process-trees fork "$way"
  done
  meter_tree process-trees system-call exit-now
}

@test "a child execs in them, or cannot" {
  meter_tree process-trees fork exec
  meter_tree process-trees quiet-fork exec
  meter_tree process-trees fork exec-failed
  meter_tree process-trees fork exec-failed-kill
}

@test "a child ends in them without a word" {
  meter_tree process-trees fork exit-group
  meter_tree process-trees fork kill
  meter_tree process-trees clone kill
  meter_tree process-trees fork exec-system-call
}

@test "a task of the program's own, on the memory and the thread-local storage of its parent" {
  meter_tree process-clones beside
  meter_tree process-clones instead
}

@test "descendants that only system calls know of" {
  meter_victim raw-descendants grandchild
  meter_victim raw-descendants vforked
  assert_reasons
  meter_victim raw-descendants namespace
  meter_victim raw-descendants zeroed-storage
  assert_reasons
}

@test "a signal handler forks, and the child returns into what it interrupted" {
  meter_tree process-handlers own-stack
  meter_tree process-handlers alternate-stack
  meter_tree process-handlers each-instruction
  function_properties='{"error_when": "ret < 0 && errno != 0"}'
  meter_tree process-handlers each-instruction
}

# at_each_instruction MODE PROPERTIES [AWK_OPTION]...: a child that is made at any instruction counts what it ends of the
# call, all of it, and no more.
at_each_instruction() {
  local mode=$1 functions='around work outer inner' found
  function_properties=$2
  shift 2
  require_target process-steps
  # shellcheck disable=SC2086
  manifest_of $functions
  start_metered CALLMETER_EXE=process-steps "$(target process-steps)" "$mode" && wait_done && scrape || return 1
  found=$(awk "$@" -v functions="$functions" -f "$root/tests/lib/whole_calls.awk" "$run_dir/metrics")
  [[ -z $found ]] || fail "$mode with $function_properties:" "$found"
  assert_metric 1 processes
  release
  assert_equal 0 "$exit_status" "exit status of $mode with $function_properties"
}

@test "a handler forks at each instruction of a call that is timed and judged" {
  at_each_instruction returning '{}'
  at_each_instruction returning '{"returns": "int", "error_when": "ret < 0", "buckets": [1e-9]}'
  at_each_instruction returning '{"returns": "int", "error_when": "ret < 0 && errno != 0", "buckets": [1e-9]}'
  at_each_instruction returning '{"returns": "int", "throttled_when": "ret == -1", "error_when": "ret == 1"}'
  at_each_instruction returning '{"returns": "int", "error_when": "ret < 0", "sample_rate": 0.5}' -v sampled=1
}

@test "a handler forks at each instruction of a call with labels" {
  local argument='"value": {"arg": 1, "type": "int"}' result='"sign": {"ret": true}'
  at_each_instruction returning "{\"labels\": {$argument}}"
  at_each_instruction returning "{\"returns\": \"int\", \"error_when\": \"ret < 0 && errno != 0\", \"labels\": {$argument}}"
  at_each_instruction returning "{\"returns\": \"int\", \"labels\": {$result}}"
  at_each_instruction returning "{\"returns\": \"int\", \"error_when\": \"ret < 0\", \"labels\": {$argument, $result}}"
  at_each_instruction returning "{\"returns\": \"int\", \"sample_rate\": 0.5, \"labels\": {$argument, $result}}" -v sampled=1
}

@test "a handler forks at each instruction of a call with more than a time and an outcome" {
  at_each_instruction returning '{"returns": "int", "error_when": "ret < 0", "error_type": "errno"}'
  at_each_instruction returning '{"returns": "int", "error_when": "ret < 0", "error_type": "ret", "labels": {"sign": {"ret": true}}}'
  at_each_instruction returning '{"kind": "batch_job", "returns": "int", "error_when": "ret < 0", "items": {"arg": 2, "type": "int"}}'
  at_each_instruction returning '{"kind": "worker", "items": {"arg": 2, "type": "int"}, "labels": {"value": {"arg": 1, "type": "int"}}}'
  at_each_instruction returning '{"kind": "loop"}'
  at_each_instruction returning '{"kind": "health_check", "returns": "int", "error_when": "ret < 0", "labels": {"dependency": "disk"}}'
  at_each_instruction returning '{"kind": "http_handler", "returns": "int", "error_when": "ret < 0",
    "labels": {"method": "GET", "route": {"arg": 1, "type": "int"}, "code": {"ret": true}}}'
  at_each_instruction returning '{"mode": "count", "kind": "worker", "items": {"arg": 2, "type": "int"}}' -v sampled=1
}

@test "a handler forks at each instruction of a call that does not return" {
  local way
  for way in jumping jumping-unseen throwing ending; do
    at_each_instruction "$way" '{}' -v left=1
    at_each_instruction "$way" '{"returns": "int", "error_when": "ret < 0",
      "labels": {"value": {"arg": 1, "type": "int"}, "sign": {"ret": true}}}' -v left=1
  done
}

# FULL: 100 000 forks and 10 000 posix_spawn.
@test "forks from many threads with tracked calls in flight, and posix_spawn" {
  local forks=5000 spawns=1000
  if [[ -n ${FULL:-} ]]; then
    forks=100000 spawns=10000 deadline_seconds=1200
  fi
  meter_tree process-storm forks 8 "$forks"
  meter_tree process-storm spawns 8 "$spawns"
}

# At most the one call in flight differs, of each of 20 processes' two threads.
@test "processes that are killed at random moments have counted what they did" {
  local begun ended finished abandoned
  manifest_of work
  start_metered "$(target process-killed)" 20
  wait_done
  scrape
  begun=$(sed -n 's/^begun //p' "$run_dir/out")
  ended=$(sed -n 's/^ended //p' "$run_dir/out")
  finished=$(metric calls_total function=work outcome=success)
  abandoned=$(metric calls_abandoned_total function=work reason=process_death)
  assert_metric 0 calls_active function=work
  assert_metric 1 processes
  assert_metric "$abandoned" calls_total function=work outcome=abandoned
  ((ended <= finished && finished <= begun && begun - 40 <= ended && abandoned <= 40)) ||
    fail "begun $begun, ended $ended; counted $finished, and $abandoned abandoned"
  ((finished + abandoned <= begun)) || fail "begun $begun; counted $finished + $abandoned"
  release
  assert_equal 0 "$exit_status" 'exit status'
}
