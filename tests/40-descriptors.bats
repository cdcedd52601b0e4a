# An endpoint that shares the program's table of descriptors: its numbers lie high, and it comes back whatever is closed.

load lib/helper

is_served() {
  scrape && assert_truths
}

has_connection() {
  [[ -e /proc/$pid/fd/513 ]]
}

# start_shared ARGUMENT...: in a shared table, with no descriptors but the first three: those of bats are inherited.
start_shared() {
  manifest_of greet
  # shellcheck disable=SC2016 # for the inner shell
  start_metered CALLMETER_EXE=closes-descriptors bash -c 'for fd in {3..255}; do exec {fd}>&-; done; exec "$@"' - \
    "$(target without-close-range)" "$(target closes-descriptors)" "$@"
  wait_done
  scrape
  assert_truths
}

# close_all HIGHEST: the program closes all numbers up to that, several times, and is served each time.
close_all() {
  local times
  start_shared "$1"
  for times in 1 2 3; do
    printf x >&"$input_fd"
    wait_until said "closed $times"
    wait_until is_served
  done
}

@test "in a shared table nothing of ours has a low number" {
  local number
  close_all 255
  # The program's files are those that it would have without us.
  assert_equal 'file 3 file 4 file 5 file 6' "$(grep '^file' "$run_dir/out" | head -n 4 | tr '\n' ' ' | sed 's/ $//')"
  assert_equal 4 "$(grep -c '^file 3$' "$run_dir/out")" 'times that the first file was number 3'
  for number in "/proc/$pid/fd"/*; do
    number=${number##*/}
    ((number <= 6 || number >= 200)) || fail "a descriptor of ours is number $number"
  done
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_lines 0 "$run_dir/err" .
}

@test "a program that closes all numbers of a shared table, again and again, is served at the same address" {
  close_all 1023
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_lines 3 "$run_dir/err" 'descriptors were closed; opening it again$'
}

@test "a program that closes a connection of ours, and not the listening socket, is served again" {
  local client
  start_shared 1023 513
  exec {client}<>"/dev/tcp/127.0.0.1/${address##*:}"
  printf 'GET /metrics HTTP/1.1\r\n' >&"$client"
  wait_until has_connection
  printf x >&"$input_fd"
  wait_until said 'closed 1'
  wait_until is_served
  exec {client}>&-
  release
  assert_lines 1 "$run_dir/err" 'descriptors were closed; opening it again$'
}

@test "in a shared table clients are served in parts, at the same time, and a slow one does not hold up others" {
  local parts port=
  start_shared 3
  port=${address##*:}
  exec {parts}<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n' >&"$parts"
  scrape
  assert_truths
  printf 'Connection: close\r\n\r\n' >&"$parts"
  assert_match 'HTTP/1.1 200' "$(timeout 20 cat <&"$parts" | head -n 1)"
  exec {parts}>&-
  for _ in {1..20}; do scrape; done
  assert_truths
  release
}
