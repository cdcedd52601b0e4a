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

# says_usage WORD...: the command line is wrong, and nothing but that is said.
says_usage() {
  run -64 --separate-stderr "$callmeter" "$@"
  assert_equal '' "$output" "output of callmeter $*"
  assert_match 'Try `callmeter ' "$stderr"
}

@test "help and the version are printed, and words that mean nothing are said" {
  local command
  for command in run check panics presets schema; do
    run -0 --separate-stderr "$callmeter" "$command" --help
    assert_match "^Usage: callmeter $command" "$output"
    assert_equal "$output" "$("$callmeter" help "$command")" "help of $command"
    assert_match "(^|"$'\n'")  $command +[a-z]" "$("$callmeter" --help)"
  done
  assert_match '^callmeter [0-9]+\.[0-9]+' "$("$callmeter" --version)"
  says_usage
  says_usage nonsense
  says_usage help nonsense
  says_usage presets one two
  says_usage schema one
  says_usage panics one two
  says_usage panics --nonsense
}

@test "what a program is told of --help is its own" {
  manifest_json '{"version": 1, "listen": "none", "functions": []}'
  run -0 "$callmeter" run -m "$manifest" echo --help
  assert_match 'Usage: .*echo' "$output"
  [[ $output != *callmeter* ]] || fail "$output"
}

@test "run: options reach the program as variables, and what is preloaded already stays" {
  manifest_json '{"version": 1, "listen": "none", "functions": []}'
  run -0 env LD_PRELOAD=libm.so.6 "$callmeter" run -m "$manifest" -m "$manifest" -l none --strict --exe 'nobody*' -- env
  assert_lines 1 <(printf '%s\n' "$output") "^LD_PRELOAD=$shim:libm\.so\.6\$"
  assert_lines 1 <(printf '%s\n' "$output") "^CALLMETER_MANIFEST=$manifest:$manifest\$"
  assert_lines 1 <(printf '%s\n' "$output") '^CALLMETER_LISTEN=none$'
  assert_lines 1 <(printf '%s\n' "$output") '^CALLMETER_STRICT=1$'
  assert_lines 1 <(printf '%s\n' "$output") '^CALLMETER_EXE=nobody\*$'
  run -0 env -u LD_PRELOAD "$callmeter" run -m "$manifest" --exe 'nobody*' -- env
  assert_lines 1 <(printf '%s\n' "$output") "^LD_PRELOAD=$shim\$"
  assert_lines 0 <(printf '%s\n' "$output") '^CALLMETER_(LISTEN|STRICT)='
}

@test "a program that the pattern does not mean is warned of, by each of its paths" {
  local glob
  cd "$BATS_TEST_TMPDIR"
  cp "$(target greeter)" program
  ln -s program link
  manifest_json '{"version": 1, "functions": [{"symbol": "greet"}]}'
  for glob in link program "$PWD/link" "$PWD/program" 'pro*' ./link; do
    run -0 --separate-stderr env CALLMETER_EXE="$glob" "$callmeter" check -m "$manifest" ./link
    assert_equal '' "$stderr" "what is said of $glob"
  done
  run -0 --separate-stderr env CALLMETER_EXE="$PWD/link" "$callmeter" check -m "$manifest" .//link
  assert_equal '' "$stderr" 'what is said of a path with more slashes'
  for glob in other "$PWD" "$PWD/lin" "/link" 'x*'; do
    run -0 --separate-stderr env CALLMETER_EXE="$glob" "$callmeter" check -m "$manifest" ./link
    assert_match "warning: \./link does not match" "$stderr"
  done
  manifest_json '{"version": 1, "executables": ["one", "two"], "functions": [{"symbol": "greet"}]}'
  run -0 --separate-stderr "$callmeter" check -m "$manifest" ./link
  assert_match 'warning: \./link matches none of .*\(one, \.\.\.\)' "$stderr"
}

@test "manifests that cannot be named in a list are said" {
  local folder=$BATS_TEST_TMPDIR/with:colon
  mkdir "$folder"
  cp "$manifest" "$folder/m.json"
  run -78 "$callmeter" check -m "$folder/m.json" "$(target greeter)"
  assert_match 'no colon' "$output"
  run -78 "$callmeter" check -m "$BATS_TEST_TMPDIR/nowhere.json" "$(target greeter)"
  assert_match 'nowhere.json: No such file' "$output"
  run -0 env CALLMETER_MANIFEST="$manifest" "$callmeter" check "$(target greeter)"
  assert_match 'greet .* full' "$output"
}

@test "a tree that is not whole, or lies where nothing can be preloaded from, says so" {
  local tree=$BATS_TEST_TMPDIR/tree moved="$BATS_TEST_TMPDIR/with blank" command share
  DESTDIR=$tree meson install -C "$build" --no-rebuild --quiet >/dev/null
  mv "$tree" "$moved"
  command=$(find "$moved" -path '*/bin/callmeter')
  share=$(find "$moved" -path '*/share/callmeter')
  run -70 "$command" run -m "$manifest" -- true
  assert_match 'with a blank, a colon or a dollar' "$output"
  printf '{' >"$share/presets/broken.json"
  run -0 --separate-stderr "$command" presets "$(target greeter)"
  assert_match 'warning: .*broken.json' "$stderr"
  assert_match '^libc-io' "$output"
  rm "$share/presets/libc-io.json"
  run -78 "$command" presets "$(target greeter)"
  assert_match 'no preset fits' "$output"
  rm -r "$share"
  run -70 "$command" schema
  assert_match 'manifest.schema.json is not there' "$output"
  run -70 "$command" presets
  assert_match 'shipped manifests are not there' "$output"
  run -70 "$command" check -p redis "$(target greeter)"
  assert_match 'shipped manifests are not there' "$output"
  find "$moved" -name libcallmeter.so -delete
  run -70 "$command" run -m "$manifest" -- true
  assert_match 'libcallmeter.so is not there' "$output"
}

@test "check: a library that the loader does not find is said, and the rest is looked at" {
  cd "$BATS_TEST_TMPDIR"
  gcc -shared -fPIC -x c -o libgone.so - <<<'int gone;'
  gcc -x c -o program - -L. -Wl,--no-as-needed -lgone <<<'int greet(int a) { return a * 5 + 4; } int main(void) { return greet(1); }'
  rm libgone.so
  run -0 --separate-stderr "$callmeter" check -m "$manifest" ./program
  assert_match 'libgone.so: cannot open' "$stderr"
  assert_match 'callmeter: warning: no libraries are looked at: .* failed' "$stderr"
  assert_match 'greet .* full' "$output"
}
