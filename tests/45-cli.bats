# The command line: run and check, their output and their exit codes.

bats_require_minimum_version 1.5.0

load lib/helper

setup() {
  manifest_of greet
}

@test "run: the program's arguments, output and exit status are its own" {
  manifest_json '{"version": 1, "listen": "none", "functions": [{"symbol": "no_such_function", "optional": true}]}'
  run -0 --separate-stderr "$callmeter" run -m "$manifest" -- sh -c 'echo "$@"; echo oops >&2' sh -m --strict ' a b' ''
  assert_equal '-m --strict  a b ' "$output" output
  assert_equal 'oops' "$stderr" 'standard error'
  run -37 "$callmeter" run -m "$manifest" -- sh -c 'exit 37'
  run -143 "$callmeter" run -m "$manifest" -- sh -c 'kill -TERM $$'
}

@test "run: the process is the program itself" {
  manifest_json '{"version": 1, "listen": "none", "functions": []}'
  start "$callmeter" run -m "$manifest" -- "$(target greeter)" greet 1
  wait_done
  assert_equal "$(target greeter)" "$(readlink "/proc/$pid/exe")" 'program'
}

@test "run: a program that is not found is 127, one that cannot be executed 126" {
  run -127 "$callmeter" run -m "$manifest" -- no-such-program
  assert_match 'no-such-program' "$output"
  run -127 "$callmeter" run -m "$manifest" -- /no/such/program
  run -126 "$callmeter" run -m "$manifest" -- "$manifest"
  run -126 "$callmeter" run -m "$manifest" -- "$BATS_TEST_TMPDIR"
}

@test "run: a program that cannot be preloaded is 65, with the reason" {
  local program=$BATS_TEST_TMPDIR/program
  run -65 "$callmeter" run -m "$manifest" -- "$(target greeter-static)" greet 1
  assert_match 'static' "$output"
  # Another architecture: AArch64 in the ELF header.
  cp "$(target greeter)" "$program"
  printf '\xb7\x00' | dd of="$program" bs=1 seek=18 conv=notrunc status=none
  run -65 "$callmeter" run -m "$manifest" -- "$program"
  # A program of 32 bits.
  cp "$(target greeter)" "$program"
  printf '\x01' | dd of="$program" bs=1 seek=4 conv=notrunc status=none
  run -65 "$callmeter" run -m "$manifest" -- "$program"
}

@test "run: a set-id program is 65 for one whom it would give other rights" {
  local program=$BATS_TEST_TMPDIR/program
  ((EUID == 0)) || skip 'not root'
  command -v setpriv >/dev/null || skip 'no setpriv here'
  cp "$(target greeter)" "$program"
  chmod 4755 "$program"
  chmod 755 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" 2>/dev/null || true
  setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$program" || skip 'the test folder is not open to others'
  setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$callmeter" || skip 'the build folder is not open to others'
  run -65 setpriv --reuid=65534 --regid=65534 --clear-groups "$callmeter" run -m "$manifest" -- "$program" greet 1
  assert_match 'set' "$output"
}

@test "run: a script is run by its interpreter" {
  local script=$BATS_TEST_TMPDIR/script
  printf '#!/bin/sh\necho "script $1"\n' >"$script"
  chmod +x "$script"
  manifest_json '{"version": 1, "listen": "none", "functions": [{"symbol": "no_such_function", "optional": true}]}'
  run -0 "$callmeter" run -m "$manifest" -- "$script" one
  assert_equal 'script one' "$output" output
}

@test "run: what is wrong with the command line is said, and nothing is started" {
  local words program="touch $BATS_TEST_TMPDIR/started"
  for words in '' '-m' '--no-such-option' "-m $manifest" "-m $manifest --" "-- $program" \
    "-m $manifest --exe [ -- $program" "-m $manifest --exe= -- $program" "-m $manifest -l nowhere -- $program"; do
    # shellcheck disable=SC2086 # words of the command line
    run -64 --separate-stderr "$callmeter" run $words
    [[ -n $stderr ]] || fail "run $words: nothing on stderr"
  done
  # shellcheck disable=SC2086 # words of the command line
  run -78 --separate-stderr "$callmeter" run -p no-such-preset -- $program
  assert_match 'no-such-preset' "$stderr"
  [[ ! -e $BATS_TEST_TMPDIR/started ]] || fail 'a program was started'
}

@test "check: what is wrong with the command line is said" {
  local words
  for words in '' "-m $manifest" "$(target greeter)" "-m $manifest -l none $(target greeter)" \
    "-m $manifest $(target greeter) $(target greeter)"; do
    # shellcheck disable=SC2086 # words of the command line
    run -64 --separate-stderr "$callmeter" check $words
    [[ -n $stderr ]] || fail "check $words: nothing on stderr"
    assert_equal '' "$output" "output of check $words"
  done
}

@test "what cannot be written to standard output is an error" {
  local words
  for words in "check -m $manifest $(target greeter)" "check --json -m $manifest $(target greeter)" schema presets --help --version; do
    # shellcheck disable=SC2086 # words of the command line
    run -70 bash -c '"$@" >/dev/full' - "$callmeter" $words
    assert_match 'No space left' "$output" || fail "in: $words"
  done
}

@test "check: a line for each function, and status 0 when all is well" {
  manifest_of greet nap
  run -0 --separate-stderr "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_equal 1 "$(grep -c '\bgreet\b.*full' <<<"$output")" 'lines of greet' || fail "$output"
  assert_equal 1 "$(grep -c '\bnap\b.*full' <<<"$output")" 'lines of nap' || fail "$output"
}

@test "check: status 1 when some function cannot be tracked, with the reason" {
  manifest_of greet no_such_function
  run -1 "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_match 'no_such_function' "$output"
  assert_match 'missing' "$output"
}

@test "check --json: symbol, name, object, address, size, mode and reason of each" {
  manifest_of greet no_such_function strdup
  run -1 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target greeter)"
  jq -e '.functions | length == 3' <<<"$output"
  jq -e '.functions[] | select(.symbol == "greet") | .mode == "full" and .name == "greet" and (.object | test("greeter"))
    and (.size > 4) and .reason == "" and has("address")' <<<"$output" || fail "$output"
  jq -e '.functions[] | select(.symbol == "no_such_function") | .mode == "missing" and (.reason | length > 0)' <<<"$output"
  jq -e '.functions[] | select(.symbol == "strdup") | .mode == "full" and (.object | test("libc.so.6"))' <<<"$output"
}

@test "check starts nothing" {
  run -0 "$callmeter" check -m "$manifest" "$(target greeter)" </dev/null
  [[ $output != *greeted* && $output != *done* ]]
}

@test "check does not run the audit modules that a program names" {
  local module=$BATS_TEST_TMPDIR/module.so program=$BATS_TEST_TMPDIR/program
  gcc -shared -fPIC -x c -o "$module" - <<<'#include <unistd.h>
unsigned la_version(unsigned version) { write(2, "the module runs\n", 16); return version; }'
  gcc -x c -Wl,--audit="$module" -o "$program" - <<<'int greet(int a) { return a * 5 + 4; } int main(void) { return greet(1); }'
  run "$program"
  assert_match 'the module runs' "$output"
  run -0 "$callmeter" check -m "$manifest" "$program"
  assert_match 'names an audit module' "$output"
  [[ $output != *'the module runs'* ]] || fail "$output"
}

@test "check tells for each function what the process then does" {
  local from_check from_process
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "exceptions"}]}'
  from_check=$("$callmeter" check --json -m "$manifest" "$(target exceptions)" | jq -r '.functions[] | "\(.name) \(.mode)"' | sort -u)
  start_metered "$(target exceptions)" direct
  wait_done
  scrape
  from_process=$(sed -n 's/^callmeter_function_info{.*function="\([^"]*\)".*mode="\([^"]*\)".*/\1 \2/p' "$run_dir/metrics" | sort -u)
  diff <(printf '%s\n' "$from_check") <(printf '%s\n' "$from_process")
}

@test "presets are listed, and each is a manifest" {
  local preset
  run -0 "$callmeter" presets
  assert_match 'redis' "$output"
  run "$callmeter" check -p redis "$(command -v redis-server)"
  assert_equal 0 "$status" 'exit status of check -p redis' || fail "$output"
}

@test "an installed tree works, and may be moved" {
  local tree=$BATS_TEST_TMPDIR/tree moved=$BATS_TEST_TMPDIR/moved command
  DESTDIR=$tree meson install -C "$build" --no-rebuild --quiet >/dev/null
  mv "$tree" "$moved"
  command=$(find "$moved" -path '*/bin/callmeter')
  [[ -x $command ]]
  assert_equal 1 "$(find "$moved" -name libcallmeter.so | wc -l)" 'preload objects'
  assert_equal 1 "$(find "$moved" -path '*/share/callmeter/presets/redis.json' | wc -l)" 'redis presets'
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.1/port" "$command" run -m "$manifest" -l 127.0.0.1:0 -- \
    "$(target greeter)" greet 8
  wait_for_address
  wait_done
  scrape
  assert_truth greet success=8
  assert_match "$moved" "$(grep callmeter "/proc/$pid/maps")"
  assert_lines 0 "/proc/$pid/maps" "$build/(preload|callmeter)"
}

@test "check calls what is refused so, with the reason, and what is only counted" {
  manifest_json '{"version": 1, "functions": [{"symbol": "__tls_get_addr", "object": "ld-linux*"}, {"symbol": "setjmp", "object": "libc.so.6"}]}'
  run -1 --separate-stderr "$callmeter" check -m "$manifest" "$(target greeter)"
  assert_match '__tls_get_addr .* refused +[a-z]' "$output"
  assert_match '(^|'$'\n'')_?setjmp .* count +[a-z]' "$output"
  run -1 --separate-stderr "$callmeter" check --json -m "$manifest" "$(target greeter)"
  assert_equal 'refused count' "$(jq -r '[.functions[].mode] | join(" ")' <<<"$output")" 'modes'
}
