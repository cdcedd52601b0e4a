# Where the preload object is found and may do nothing: under another C library, an older one, an emulator.

bats_require_minimum_version 1.5.0

load lib/helper

aside='^callmeter\[[0-9]+\]: warn: the program runs uninstrumented: it '

# build_musl NAME ARGUMENT...
build_musl() {
  command -v musl-gcc >/dev/null || skip 'musl-gcc is not installed'
  musl-gcc -O1 -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/$1" "$root/tests/targets/other-libc.c" "${@:2}"
}

### The C library

@test "the preload object imports what any glibc from 2.17 on has, and what musl has not is weak" {
  local strong weak newest
  [[ ${CFLAGS:-} != *-fsanitize* ]] || skip 'sanitizers bring imports of their own'
  strong=$(nm -D --undefined-only "$shim" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort | tr '\n' ' ')
  weak=$(nm -D --undefined-only "$shim" | awk '$1 == "w" && $2 ~ /^(dl|gnu)/ { sub(/@.*/, "", $2); print $2 }' | sort | tr '\n' ' ')
  newest=$(nm -D --undefined-only "$shim" | sed -n 's/.*@GLIBC_//p' | sort -Vu | tail -n 1)
  # Each of these is in musl and in glibc 2.17. One more is a program that ends where it has not: think twice.
  assert_equal '__environ __errno_location access calloc close dl_iterate_phdr dlsym environ fclose fnmatch fprintf fputc fputs free fwrite getauxval getcwd getpid malloc memchr memcmp memcpy mmap64 mprotect munmap open64 open_memstream readlink realloc realpath sigaddset sigemptyset sigismember snprintf strchr strcmp strcspn strdup strlen strncmp strndup strpbrk strrchr strspn sysconf vsnprintf ' \
    "$strong" 'imports'
  assert_equal 'dladdr dladdr1 dlclose dlerror dlinfo dlvsym gnu_get_libc_version ' "$weak" 'weak imports'
  # 2.14 is memcpy's that does not copy backwards, 2.16 getauxval's.
  assert_equal 2.16 "$newest" 'the newest version of glibc that is needed'
}

@test "a musl program runs as bare: with no manifest, with one that is for others, and with one that is for it" {
  build_musl other-libc
  run_bare "$BATS_TEST_TMPDIR/other-libc"
  assert_equal 3 "$bare_status" 'exit status of the bare program'
  manifest_of work
  for setting in none=1 CALLMETER_EXE=nobody CALLMETER_EXE='other-*'; do
    run --separate-stderr env "$setting" LD_PRELOAD="$shim" CALLMETER_MANIFEST="$([[ $setting == none=1 ]] || echo "$manifest")" \
      CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/port" "$BATS_TEST_TMPDIR/other-libc" </dev/null
    assert_equal 3 "$status" "exit status with $setting" || fail "$stderr"
    diff "$BATS_TEST_TMPDIR/bare.out" <(printf '%s\n' "$output") || fail "the output differs with $setting"
    [[ $setting == *other* ]] || assert_equal '' "$stderr" "standard error with $setting"
  done
  # Its child that is meant as well says the same.
  assert_match "${aside}runs with a C library that is not glibc" "$stderr"
  [[ ! -e $BATS_TEST_TMPDIR/port ]] || fail 'it has an endpoint'
}

@test "a musl program that a shell starts which carries the variables, linked in all ways" {
  local way
  manifest_json '{"version": 1, "executables": ["sh", "dash", "other-*"], "follow_exec": true, "functions": [{"symbol": "work", "optional": true}]}'
  for way in -fpie -static -no-pie; do
    build_musl other-libc "$way"
    run_bare "$BATS_TEST_TMPDIR/other-libc"
    # shellcheck disable=SC2016 # for the inner shell
    run --separate-stderr env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
      sh -c '"$0"; status=$?; exit "$status"' "$BATS_TEST_TMPDIR/other-libc" </dev/null
    assert_equal "$bare_status" "$status" "exit status, linked with $way" || fail "$stderr"
    diff "$BATS_TEST_TMPDIR/bare.out" <(printf '%s\n' "$output") || fail "the output differs, linked with $way"
  done
}

@test "strict: a musl program that is meant does not start" {
  build_musl other-libc
  manifest_of work
  run -78 env CALLMETER_STRICT=1 LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_EXE='other-*' \
    "$BATS_TEST_TMPDIR/other-libc" </dev/null
}

### qemu-user

# emulate [-cpu ...] PROGRAM ARGUMENT...: with the shim and the manifest in its environment.
emulate() {
  timeout 60 qemu-x86_64 -E LD_PRELOAD="$shim" -E CALLMETER_MANIFEST="$manifest" -E CALLMETER_LISTEN=127.0.0.1:0 "$@" </dev/null
}

@test "under qemu-user a program and its forked children run as bare, and one line says why" {
  command -v qemu-x86_64 >/dev/null || skip 'qemu-user is not installed'
  manifest_of greet
  cp "$(command -v qemu-x86_64)" "$BATS_TEST_TMPDIR/another-name"
  run_bare timeout 60 qemu-x86_64 "$(target emulated)"
  assert_match 'child 3.*thread 4' "$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/bare.out")"
  run --separate-stderr emulate "$(target emulated)"
  assert_equal "$bare_status" "$status" 'exit status' || fail "$stderr"
  diff "$BATS_TEST_TMPDIR/bare.out" <(printf '%s\n' "$output")
  assert_match "${aside}is run by an emulator, qemu-user\$" "$stderr"
  # Where the processor does not tell, or the emulator's name does not.
  run --separate-stderr emulate -cpu qemu64,tcg-cpuid=off "$(target emulated)"
  assert_match "${aside}is run by an emulator" "$stderr"
  run --separate-stderr "$BATS_TEST_TMPDIR/another-name" -E LD_PRELOAD="$shim" -E CALLMETER_MANIFEST="$manifest" \
    "$(target emulated)" </dev/null
  assert_match "${aside}is run by an emulator" "$stderr"
}
