# One endpoint for a tree of processes: whoever serves it goes in any way, and another one takes the address over.

load lib/helper

teardown() {
  local each
  for each in $(everyone); do kill -KILL "$each" 2>/dev/null || true; done
  stop_all
  [[ -z ${folder-} ]] || rm -rf "$folder"
}

# start_tree MODE [COMMAND]...: the victim `descendants` with its function tracked, under a command that starts it.
start_tree() {
  local mode=$1
  shift
  manifest_of work leave
  fifo=$BATS_TEST_TMPDIR/run.$((run_number + 1))/in
  start "$@" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN="${listen:-127.0.0.1:0}" \
    CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" "$(target descendants)" "$mode" "$fifo"
  wait_for_address
}

# The processes that have said that their work is done, in that order.
members() {
  awk '$1 == "process" { print $2 }' "$BATS_TEST_TMPDIR"/run.*/out 2>/dev/null
}

# All of which we know.
everyone() {
  awk '$1 == "process" || $1 == "born" { print $2 }' "$BATS_TEST_TMPDIR"/run.*/out 2>/dev/null | sort -un
}

has_members() {
  (($(members | wc -l) >= $1))
}

wait_members() {
  wait_until has_members "$1" || fail "$(cat "$run_dir/out" "$run_dir/err")"
}

fetch() {
  local address=$address unix=()
  [[ $address == unix:* ]] && unix=(--unix-socket "${address#unix:}") && address=localhost
  curl -sS --fail --max-time 10 "${unix[@]}" "http://$address$1"
}

scrape() {
  fetch /metrics >"$run_dir/metrics"
}

# works N: the endpoint answers, with so many calls.
works() {
  scrape && assert_truth work success="$1"
}

# The endpoint answers with all that the victim says it did.
assert_served() {
  local -a words
  wait_until scrape || return 1
  read -r -a words < <(grep '^truth ' "$run_dir/out")
  wait_until assert_truth_now "${words[@]:1}" || assert_truth "${words[@]:1}"
  assert_equal "$address" "$(<"$port_file")" 'address in the port file'
}

assert_truth_now() {
  scrape && assert_truth "$@"
}

# The processes of the tree that have a descriptor of the listening socket, in any of their threads.
listeners() {
  local port inode each found
  port=$(printf ':%04X' "${address##*:}")
  inode=$(awk -v port="$port" 'index($2, port) && $4 == "0A" { print $10 }' /proc/net/tcp)
  [[ -n $inode ]] || return 0
  for each in $(everyone) "$pid"; do
    found=$(find "/proc/$each/task/"*/fd -lname "socket:\[$inode\]" 2>/dev/null | head -n 1)
    [[ -z $found ]] || printf '%s\n' "$each"
  done | sort -un
}

server() {
  listeners | head -n 1
}

assert_one_listener() {
  assert_equal 1 "$(listeners | wc -l)" 'processes that hold the listening socket'
}

end_member() {
  kill -KILL "$1"
  wait_until is_gone "$1"
}

### Daemons

@test "a daemon that forks twice and closes every descriptor is served, at the same address" {
  start_tree double-fork
  wait_members 1
  assert_served
  assert_one_listener
  assert_equal "$(members)" "$(server)" 'who serves'
}

@test "so is one that libc makes a daemon" {
  start_tree daemon
  wait_members 1
  assert_served
  assert_one_listener
}

@test "so is a child on a terminal of its own" {
  start_tree terminal
  wait_members 2
  end_member "$pid"
  assert_served
  assert_one_listener
}

@test "a process without the right to the address leaves it to another" {
  ((EUID == 0)) || skip 'only root can give up rights'
  folder=$(mktemp -d)
  chmod 755 "$folder" # all may look, none may write
  listen=unix:$folder/socket start_tree dropped-rights
  wait_members 5
  assert_served
  end_member "$pid"
  assert_served
}

@test "health, readiness and panics are answered after the daemon has forked" {
  start_tree double-fork
  wait_members 1
  assert_served
  assert_equal 'callmeter is healthy.' "$(fetch /-/healthy)" /-/healthy
  assert_equal 'callmeter is ready.' "$(fetch /-/ready)" /-/ready
  fetch /api/v1/panics | jq -e . >/dev/null
}

### Who serves goes

@test "who serves is killed: its child goes on at once" {
  start_tree parent-and-child
  wait_members 2
  assert_served
  assert_equal "$pid" "$(server)" 'who serves at first'
  end_member "$pid"
  assert_served
  assert_one_listener
}

@test "who serves becomes another program: its child goes on" {
  start_tree parent-execs
  wait_members 2
  assert_served
  assert_one_listener
  [[ $(server) != "$pid" ]]
  assert_equal cat "$(<"/proc/$pid/comm")" 'what the first process is now'
}

@test "five generations, each killed: sums stay exact" {
  local round
  start_tree generations
  for round in {1..5}; do
    wait_members "$round"
    wait_until works $((round * 1000)) || works $((round * 1000))
    assert_one_listener
    ((round == 5)) || end_member "$(members | tail -n 1)"
  done
  assert_served
}

@test "a master and its workers are killed one by one: one of them serves until none is left" {
  local left
  start_tree prefork
  wait_members 5
  assert_served
  for left in 4 3 2 1; do
    end_member "$(server)"
    assert_served
    assert_one_listener
  done
  end_member "$(server)"
  if scrape 2>/dev/null; then fail 'somebody serves'; fi
}

@test "a socket in the file system is taken over too" {
  listen=unix:$BATS_TEST_TMPDIR/socket start_tree parent-and-child
  wait_members 2
  assert_served
  end_member "$pid"
  assert_served
}

# waits_in_vain: the threads which serve, but by their own deadline: nobody had woken them.
waits_in_vain() {
  awk '
    /futex/ && / = |resumed/ { last[$1] = $0 }
    /listen\(/ && last[$1] ~ /ETIMEDOUT/ { print last[$1]; print }
    /listen\(/ && last[$1] ~ /futex/ { followed++ }
    END { print "followed: " followed + 0 }
  ' "$BATS_TEST_TMPDIR/strace"
}

# Who waits looks now and then by itself whether it may serve, which would hide that nobody wakes it.
@test "who follows is woken, and does not find out by itself" {
  local left
  strace -qq -o /dev/null true 2>/dev/null || skip 'strace cannot trace here'
  start_tree prefork strace -f -qq -o "$BATS_TEST_TMPDIR/strace" -e trace=futex,futex_waitv,listen
  wait_members 5
  assert_served
  for left in 4 3 2 1; do
    end_member "$(server)"
    assert_served
  done
  assert_equal 'followed: 4' "$(waits_in_vain)" 'who began to serve by its deadline'
}

### Who follows

@test "a child of a parent with threads follows when it makes threads itself" {
  start_tree threaded-parent
  wait_members 2
  local child
  child=$(members | grep -vx "$pid")
  assert_equal 1 "$(ls "/proc/$child/task" | wc -l)" 'threads of the child'
  end_member "$pid"
  assert_served
  assert_one_listener
}

@test "children by system calls of their own have no thread, and count" {
  local each
  start_tree raw-forks
  wait_members 4
  assert_served
  for each in $(members); do
    [[ $each == "$pid" ]] || assert_equal 1 "$(ls "/proc/$each/task" | wc -l)" 'threads of a child'
  done
  assert_one_listener
}

@test "no child holds the socket, also where the table of descriptors is shared" {
  start_tree prefork "$(target without-close-range)"
  wait_members 5
  assert_served
  assert_one_listener
  end_member "$pid"
  assert_served
  assert_one_listener
}

@test "a call that a thread ended in is noticed in a process that only waits, too" {
  start_tree child-loses-thread
  wait_members 2
  wait_until assert_truth_now leave abandoned=1 || assert_truth leave abandoned=1
  assert_truth work success=2000
}

knows_ratio() {
  scrape && [[ $(metric overhead_ratio) == [0-9]* ]]
}

@test "scrapes are counted on by the process that follows" {
  local before
  start_tree parent-and-child
  wait_members 2
  assert_served
  for _ in {1..10}; do scrape; done
  before=$(metric scrapes_total code=200)
  ((before >= 10))
  end_member "$pid"
  assert_served
  (($(metric scrapes_total code=200) > before))
}

@test "overhead_ratio is reckoned in the process that follows" {
  start_tree busy-daemon
  wait_members 1
  wait_until knows_ratio
}
