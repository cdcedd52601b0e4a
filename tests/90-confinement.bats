# Programs that give up rights, or leave a part of the system: no thread of callmeter's keeps more than theirs have.

load lib/helper

setup() {
  ((EUID == 0)) || skip 'it takes root'
  chmod 755 "$BATS_TEST_TMPDIR"
  manifest_of work
}

# rights_of TASK: what a thread may and sees, as the kernel tells of it.
rights_of() {
  grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp|Seccomp_filters):' "$1/status"
}

view_of() {
  stat -Lc 'root %d:%i' "$1/root" && readlink "$1/ns/mnt" "$1/ns/user" "$1/ns/uts"
}

threads_are_alike() {
  local task
  rights_of "/proc/$pid" >"$run_dir/rights" && view_of "/proc/$pid" >"$run_dir/view" || return 1
  for task in "/proc/$pid/task/"*; do
    diff "$run_dir/rights" <(rights_of "$task") && diff "$run_dir/view" <(view_of "$task") || return 1
  done
}

threads() {
  find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l
}

our_threads() {
  cat "/proc/$pid/task/"*/comm | grep -cx callmeter
}

is_alone() {
  [[ $(our_threads) == 0 ]]
}

# confine MODE: bare and metered. What the program's own thread may is the same, and no other thread has more.
confine() {
  local bare
  start "$(target confines-itself)" "$1"
  wait_done || { cat "$run_dir/out"; return 1; }
  bare=$(rights_of "/proc/$pid")
  release
  bare_status=$exit_status
  start_metered "$(target confines-itself)" "$1"
  wait_done || return 1
  assert_equal "$bare" "$(rights_of "/proc/$pid")" "what the program may: $1"
}

assert_answers() {
  wait_until scrape && assert_truths || fail "in: $1"
}

# serves MODE...: the endpoint goes on, by a thread that may no more than the program.
serves() {
  local mode
  for mode; do
    confine "$mode" || return 1
    threads_are_alike || fail "the threads differ, in: $mode" || return 1
    assert_answers "$mode" || return 1
    threads_are_alike || fail "the threads differ when it was scraped, in: $mode" || return 1
    release
    assert_equal "$bare_status" "$exit_status" "exit status: $mode"
  done
}

# leaves MODE...: there is no thread, and the log says so once.
leaves() {
  local mode
  for mode; do
    confine "$mode" || return 1
    is_alone || fail "there is a thread of ours, in: $mode" || return 1
    assert_lines 1 "$run_dir/err" 'warn: .*(may kill for|no thread can be made)' || return 1
    release
    assert_equal "$bare_status" "$exit_status" "exit status: $mode"
  done
}

@test "filters that let the endpoint's thread be, by prctl and by seccomp" {
  serves seccomp-prctl seccomp-call seccomp-twice
}

@test "filters for all threads that let ours be" {
  serves seccomp-tsync seccomp-tsync-threads
}

@test "a filter that the kernel refuses" {
  serves seccomp-refused
}

@test "filters that kill, or make fail, what a thread that serves does" {
  leaves seccomp-kills seccomp-kills-by-argument seccomp-no-waiting
}

@test "a filter that lets no thread be made" {
  leaves seccomp-no-threads
}

@test "a filter that lets no socket be made is borne" {
  confine seccomp-no-socket
  threads_are_alike
  assert_equal 1 "$(our_threads)" 'threads of ours'
}

@test "the strict mode, by prctl and by seccomp" {
  leaves strict-prctl strict-call
}

@test "Landlock" {
  serves landlock
}

@test "no new privileges, by prctl and by syscall" {
  serves no-new-privileges no-new-privileges-call
}

@test "capabilities, and those that are bounded, ambient, kept" {
  serves capabilities capabilities-by-number capabilities-ambient bounds secure-bits kept-capabilities
}

@test "ids, of all threads and of one" {
  serves ids ids-of-thread ids-of-thread-one-by-one
}

@test "ids for files, by libc and by syscall" {
  serves ids-for-files ids-for-files-call
}

@test "ids that are changed in a signal handler" {
  serves ids-in-handler
}

@test "ids of a process whose thread waits to serve" {
  serves ids-in-child
}

@test "roots and mounts of one's own" {
  serves root-of-thread root-and-mounts mounts-call
}

@test "namespaces that are made or entered" {
  serves user-namespace namespaces namespaces-of-children enter-namespace
}

@test "what is changed by the program's own instructions: our thread ends when it wakes" {
  local mode
  for mode in unseen-ids unseen-root unseen-filter; do
    confine "$mode"
    wait_until is_alone
    assert_lines 1 "$run_dir/err" 'warn: .*by a way that is not seen'
    release
    assert_equal "$bare_status" "$exit_status" "exit status: $mode"
  done
}

@test "our thread comes back, like the program, when it calls" {
  serves unseen-then-seen
}

@test "all of it, as a server does" {
  serves all
}
