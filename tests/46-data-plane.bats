# The data plane as the compiler made it: what runs inside the program's own calls must leave the rest of the machine alone.

load lib/helper

# hot_code [FROM TO]: the instructions of the data plane, or from one symbol to another, with none of which a test would
# see nothing.
hot_code() {
  local archive code
  archive=$(find "$build/preload" -name libhot.a)
  code=$(objdump -d --no-show-raw-insn "$archive" |
    awk -v from="<${1:-}>:" -v to="<${2:-}>:" 'from == "<>:" { print } index($0, from) { on = 1 } index($0, to) { on = 0 } on')
  [[ $(wc -l <<<"$code") -gt 100 && $code == *'<hot_entry_tsc>:'* ]] || fail 'the code of the data plane is not found'
  printf '%s\n' "$code"
}

@test "the data plane changes no vector, x87, MXCSR or mask register" {
  local code
  code=$(hot_code)
  # Reading is all that is allowed: the low half of xmm0, a floating-point result, into a general register; arguments to the stack.
  assert_equal '' "$(grep -E '%[xyz]mm|%st|%mm[0-7]|%k[0-7]|mxcsr|fldcw|fxsave|xsave|fninit|emms|vzero' <<<"$code" |
    grep -vE 'movq +%xmm0,%r[a-z0-9]+|movups +%xmm[0-7],(0x[0-9a-f]+)?\(%rsp\)')" 'instructions'
}

@test "the data plane takes no lock and calls nothing of libc" {
  local archive
  archive=$(find "$build/preload" -name libhot.a)
  run bash -c "nm -u $archive | awk '/ U /&&!/ (masks_real_|masks_calls_resolve|loader_dl)/{print \$2}' | sort -u >'$BATS_TEST_TMPDIR/undefined'
    nm --defined-only $archive | awk 'NF == 3 {print \$3}' | sort -u >'$BATS_TEST_TMPDIR/defined'
    comm -23 '$BATS_TEST_TMPDIR/undefined' '$BATS_TEST_TMPDIR/defined'"
  # The interposers' own, in C beside it, and what they jump on through; the linker gives the
  # bounds of sections and of the code.
  assert_equal $'_GLOBAL_OFFSET_TABLE_\n__ehdr_start\n__start_hot_read_sites\n__start_hot_thread_sites\n__stop_hot_read_sites\n__stop_hot_thread_sites\netext\ninterpose_longjmp\ninterpose_longjmp_chk\ninterpose_resolve' "$output" 'undefined names'
}

@test "a timed call runs no instruction with a lock prefix" {
  local code
  code=$(hot_code hot_entry_tsc hot_entry_clock)
  # xchg with memory has that prefix unsaid; cmpxchg has not.
  assert_equal '' "$(grep -E '\block\b|[[:space:]]xchg[a-z]* +%[a-z0-9]+,.*\(' <<<"$code")" 'instructions'
}

@test "static TLS of the preload object is at most 256 bytes" {
  local bytes
  bytes=$(readelf -lW "$shim" | awk '$1 == "TLS" {print $6}')
  ((bytes > 0 && bytes <= 256)) || fail "static TLS: $bytes bytes"
}

# errno_under [VARIABLE=VALUE]...: what the program says of errno under the preload object is what it says bare.
errno_under() {
  env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 "$@" "$(target errno-at-start)" all \
    </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
  diff "$BATS_TEST_TMPDIR/bare.out" "$BATS_TEST_TMPDIR/out" || fail "with $*:" "$(cat "$BATS_TEST_TMPDIR/err")"
}

@test "errno in constructors, at main, behind a thread's first call and at the end is as bare" {
  require_target errno-at-start
  run_bare "$(target errno-at-start)" all
  assert_lines 7 "$BATS_TEST_TMPDIR/bare.out" ': [0-9]+$'
  manifest_of work
  meter_victim errno-at-start all
  mkdir -m 700 "$BATS_TEST_TMPDIR/state"
  errno_under CALLMETER_STATE_DIR="$BATS_TEST_TMPDIR/state"
  errno_under CALLMETER_PORT_FILE=/no/such/folder/port
  errno_under CALLMETER_LISTEN=256.0.0.1:0
  errno_under CALLMETER_EXE=/no/such/program
  errno_under CALLMETER_DISABLE=1
  errno_under CALLMETER_MANIFEST=/no/such/manifest
  manifest_of no_such_function
  errno_under CALLMETER_LOG=debug
  manifest_json '{"version": 1, "panics": {"max_recoveries": 5}, "functions": [
    {"symbol": "work", "returns": "int", "recover": {"return": -1}}]}'
  errno_under CALLMETER_LOG=error
  assert_equal '' "$(cat "$BATS_TEST_TMPDIR/err")" 'standard error'
}
