# Threads in great numbers, of unusual kinds and with unusual ends: what callmeter keeps for them stays bounded, and the
# program's own business with threads is as without it. FULL=1: a million of them.

bats_require_minimum_version 1.5.0
load lib/helper

setup() {
  if [[ -n ${FULL:-} ]]; then
    export VICTIM_SCALE=50
    deadline_seconds=600
  fi
}

@test "many short threads are counted in bounded memory" {
  meter_victim thread-ends million
}

@test "200 generations of 50 threads leave no more memory than the first" {
  meter_victim thread-ends generations
}

@test "3000 threads at once have few more mappings than bare" {
  meter_victim thread-ends crowd
}

@test "threads of a program that locks its memory have little more in it than bare" {
  meter_victim thread-ends locked
}

@test "threads that exit by a system call in the middle of tracked calls leave nothing behind" {
  meter_victim thread-ends raw-exits
  assert_only_reason thread_exit
}

@test "threads made by clone(2) alone are counted, and leave nothing behind" {
  meter_victim thread-ends raw-clones
  assert_only_reason thread_exit
}

@test "very many jumps that no library sees leave nothing behind" {
  meter_victim jumps-past-libc all
}

@test "threads on other stacks than those that had their lanes before have their jumps judged by their own" {
  meter_victim lane-heirs jumps
  meter_victim lane-heirs jumps-in-child
  meter_victim lane-heirs ends-in-child
}

@test "what is suspended where a stack was is no part of the stack of the lane's next thread" {
  meter_victim lane-heirs coroutines
}

@test "destructors of thread-specific values make tracked calls" {
  meter_victim thread-ends destructors
}

@test "a program that limits its own address space has as much of it as bare, and sees the limit that it set" {
  meter_victim address-limit
}

# depth_of FILE KIND
depth_of() {
  awk -v kind="$2" '$1 == "depth" && $2 == kind { print $3 }' "$1"
}

@test "on the smallest stacks all kinds of tracked calls are right, and add little to the stack's depth" {
  local bare more kind
  manifest_json '{"version": 1, "functions": [
    {"symbol": "work", "name": "work", "mode": "full"},
    {"symbol": "fail", "name": "fail", "mode": "full", "error_when": "ret < 0", "error_type": "errno"},
    {"symbol": "answer", "name": "answer", "mode": "full", "labels": {"table": {"arg": 1, "type": "cstring"}}},
    {"symbol": "complain", "name": "complain", "mode": "full"}]}'
  run_bare "$(target thread-stacks)" all
  assert_equal 0 "$bare_status" 'exit status of the bare run'
  start_metered "$(target thread-stacks)" all
  wait_done
  scrape
  assert_truth work success=4
  assert_truth fail error=1
  assert_truth complain error=2
  assert_metric 1 calls_total function=answer table=customers outcome=success
  release
  assert_same_as_bare
  for kind in work fail labels throw handler fault-handler destructor; do
    bare=$(depth_of "$BATS_TEST_TMPDIR/bare.err" "$kind")
    more=$(($(depth_of "$run_dir/err" "$kind") - bare))
    ((bare > 0 && more <= 2048)) || fail "$kind: $more bytes of stack more than bare ($bare)"
  done
}

require_root() {
  ((EUID == 0)) || skip 'only root can change its user'
}

@test "a process with threads changes its user in all of them, and the endpoint goes on" {
  require_root
  meter_victim thread-habits change-user
}

@test "a thread waits for the signals of the process, and gets them all" {
  meter_victim thread-habits wait-for-signals
}

@test "signals of the process are read from a descriptor" {
  meter_victim thread-habits read-signals
}

@test "the one thread that does not block a signal handles it" {
  meter_victim thread-habits handle-signals
}

@test "handlers that may run on an alternate stack have room where the program has none" {
  meter_victim thread-habits big-handlers
}

@test "the first thread of a forked child leaves before another" {
  meter_victim thread-habits child-main-leaves
}

@test "the first thread leaves and is joined by the last" {
  meter_to_the_end thread-habits main-leaves-and-is-joined work
}

@test "sizes, names and masks of the program's threads are as without callmeter" {
  meter_victim thread-habits attributes
}

@test "no thread-local room of the C library's is used for what is loaded, and none is needed" {
  meter_victim static-tls all
}

@test "no module, and no library that comes with one, takes thread-local room from the start" {
  local object
  for object in $(find "$(dirname "$shim")/callmeter" -name '*.so' -exec ldd {} + |
    awk '$2 == "=>" && $3 ~ /^\// && $1 != "libc.so.6" { print $3 }' | sort -u) "$(dirname "$shim")"/callmeter/*.so; do
    [[ $(readelf -lW "$object") != *' TLS '* || $(readelf -dW "$object") != *STATIC_TLS* ]] || fail "$object does"
  done
}

# A program that needs no endpoint: its standard output and status are those of the bare run, and there is one warning.
runs_with_one_warning() {
  local expected=$1
  shift
  run --separate-stderr "$@" "$(target thread-habits)" poor </dev/null
  assert_equal 0 "$status" 'exit status' || fail "$output" "$stderr"
  assert_equal 'truth work success=1000
done' "$output" 'standard output'
  assert_equal 1 "${#stderr_lines[@]}" 'lines on standard error' || fail "$stderr"
  assert_match "$expected" "$stderr"
}

@test "where no thread can be made there is one warning, and the program is unharmed" {
  manifest_of work
  command -v strace >/dev/null || skip 'strace is not installed'
  runs_with_one_warning 'no endpoint' \
    strace -o "$BATS_TEST_TMPDIR/trace" -e inject=clone,clone3:error=EAGAIN \
    -E LD_PRELOAD="$shim" -E CALLMETER_MANIFEST="$manifest" -E CALLMETER_LISTEN=127.0.0.1:0
  grep -q INJECTED "$BATS_TEST_TMPDIR/trace"
}

@test "where the user may have no more processes there is one warning, and the program is unharmed" {
  local as_nobody=()
  manifest_of work
  if ((EUID == 0)); then
    as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    chmod o+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR/.." "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR"
    chmod o+r "$manifest"
  fi
  "${as_nobody[@]}" test -r "$shim" -a -r "$manifest" -a -x "$(target thread-habits)" || skip 'not readable for nobody'
  runs_with_one_warning 'no endpoint' \
    "${as_nobody[@]}" bash -c 'ulimit -u 1; exec env "$@"' bash \
    LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0
}

@test "a program with little address space gets most of it" {
  ulimit -S -v 400000
  meter_victim thread-habits much-memory
}

@test "a call of a child whose first thread has left stays active, whoever looks" {
  meter_victim leaderless in-call
  meter_victim leaderless in-call-elsewhere
}

@test "a child whose first thread has left, and which was taken for gone, counts on" {
  require_target leaderless
  manifest_of work hold
  start_metered "$(target leaderless)" begins
  wait_until grep -q '^child ' "$run_dir/out"
  scrape
  assert_truth work success=1
  kill -USR1 "$(sed -n 's/^child //p' "$run_dir/out")"
  wait_done
  scrape
  scrape
  assert_truths
  release
  assert_equal 0 "$exit_status" 'exit status'
}
