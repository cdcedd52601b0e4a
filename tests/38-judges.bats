# Programs that judge for themselves whether the machine is as they left it, with every function of theirs tracked: what compilers' own
# test suites and language runtimes brought to light.

load lib/helper

# The judge is content bare, and tracked whole, alone and with the libraries named.
assert_content() {
  local name=$1 library functions
  require_target "$name"
  run_bare "$(target "$name")"
  assert_equal 0 "$bare_status" "exit status of the bare $name" || return 1
  functions="{\"symbol\": \"*\", \"object\": \"$name\"}"
  shift
  for library; do
    functions+=", {\"symbol\": \"*\", \"object\": \"$library\"}"
  done
  manifest_json "{\"version\": 1, \"listen\": \"none\", \"functions\": [$functions]}"
  run env CALLMETER_LOG=error LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$(target "$name")"
  assert_equal 0 "$status" "exit status of the tracked $name" || fail "$output"
}

@test "the flags of floating-point exceptions are clear when main begins" {
  assert_content judge-float-flags libm.so.6
}

@test "an IFUNC keeps the implementation that the loader picked" {
  assert_content judge-ifunc
}

@test "a program that defines functions of libc anew is left alone" {
  assert_content judge-namesakes-libc
}

@test "thunks that are jumped to are no calls" {
  assert_content judge-retpoline
}

@test "helpers that save their caller's registers are no calls" {
  assert_content judge-savms64
}

@test "transactional memory" {
  assert_content judge-transaction libitm.so.1
}

@test "a conservative garbage collector finds a pointer that the caller of a tracked function keeps in rbx" {
  assert_content judge-collector
  assert_content judge-collector libgc.so.1
}

@test "exceptions through a program whose unwinder is linked in and stripped" {
  local mode
  require_target exceptions-stripped
  for mode in throws direct tail parallel; do
    manifest_json '{"version": 1, "listen": "none", "functions": [{"symbol": "*", "object": "exceptions-stripped"}]}'
    run env CALLMETER_LOG=error LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$(target exceptions-stripped)" "$mode" </dev/null
    assert_equal 0 "$status" "exit status, $mode" || fail "$output"
  done
}

@test "a program that locks its memory does not lock what callmeter only reserves" {
  assert_content judge-locked-memory
}
