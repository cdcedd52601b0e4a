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

# build_runtime NAME: a library of that name.
build_runtime() {
  gcc -O2 -fPIC -shared -o "$BATS_TEST_TMPDIR/$1" -Wl,-soname,"$1" "$root/tests/targets/stand-in-collector.c"
}

@test "beside other collectors that scan stacks, nothing is timed" {
  local name
  cat >"$BATS_TEST_TMPDIR/main.c" <<'END'
int stand_in(int);
int main(int argc, char **argv) { (void)argv; return stand_in(argc) != 3; }
END
  manifest_json '{"version": 1, "functions": [{"symbol": "stand_in"}]}'
  for name in libgphobos.so.3 libphobos2-ldc-shared.so.100 libruby-3.1.so.3.1 libplain.so; do
    build_runtime "$name"
    gcc -o "$BATS_TEST_TMPDIR/main" "$BATS_TEST_TMPDIR/main.c" "$BATS_TEST_TMPDIR/$name"
    LD_LIBRARY_PATH=$BATS_TEST_TMPDIR run "$callmeter" check -m "$manifest" "$BATS_TEST_TMPDIR/main"
    if [[ $name == libplain.so ]]; then
      assert_match 'stand_in +libplain.so +0x[0-9a-f]+ +full' "$output"
    else
      assert_match "stand_in +$name +0x[0-9a-f]+ +count +a garbage collector is loaded" "$output"
    fi
  done
}

@test "a collector that is loaded later limits what comes with it" {
  local folder=$BATS_TEST_TMPDIR
  build_runtime libgphobos.so.3
  gcc -O2 -fPIC -shared -o "$folder/libuser.so" -x c - -x none "$folder/libgphobos.so.3" <<'END'
int stand_in(int);
int user(int number);
int user(int number) { return stand_in(number) + 1; }
END
  gcc -o "$folder/main" -x c - <<'END'
#include <dlfcn.h>
int main(void)
{
    void *handle = dlopen("libuser.so", RTLD_NOW);
    int (*user)(int) = handle ? (int (*)(int))dlsym(handle, "user") : 0;
    return !user || user(2) != 7;
}
END
  manifest_json '{"version": 1, "listen": "none", "functions": [{"symbol": "user", "object": "libuser.so"}]}'
  run env CALLMETER_LOG=debug LD_LIBRARY_PATH="$folder" LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$folder/main"
  assert_equal 0 "$status" 'exit status' || fail "$output"
  assert_match 'user: a garbage collector is loaded' "$output"
}

@test "a pointer that a function of D keeps in rbx across a tracked call is found" {
  command -v gdc >/dev/null || skip 'gdc is not installed'
  gdc -O2 -o "$BATS_TEST_TMPDIR/judge-d" "$root/tests/targets/judge-collector.d"
  run_bare "$BATS_TEST_TMPDIR/judge-d"
  assert_equal 0 "$bare_status" 'exit status of the bare program'
  manifest_json '{"version": 1, "listen": "none", "functions": [{"symbol": "*", "object": "judge-d"}]}'
  run env CALLMETER_LOG=error LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$BATS_TEST_TMPDIR/judge-d"
  assert_equal 0 "$status" 'exit status of the tracked program' || fail "$output"
}

@test "assembly that answers by the processor's flags, and labels that it falls into" {
  assert_content judge-flags
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
