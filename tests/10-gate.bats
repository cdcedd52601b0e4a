# Which processes are instrumented, and what the others pay.

bats_require_minimum_version 1.5.0

load lib/helper

# Objects of callmeter that the process has mapped, and libraries that only callmeter would bring in.
foreign_objects() {
  awk '$6 ~ /^\// { print $6 }' "/proc/$pid/maps" | sort -u | grep -E 'callmeter|jansson|libelf|libdw|Zydis|microhttpd|gnutls|libunwind'
}

# start_idle [VARIABLE=VALUE]...: the greeter, with the shim preloaded, until its work is done.
start_idle() {
  start env LD_PRELOAD="$shim" "$@" CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" \
    "$(target greeter)" greet 5
  wait_done
}

assert_untouched() {
  assert_equal "$shim" "$(foreign_objects)" 'objects of callmeter in the process'
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
  [ ! -e "$port_file" ]
  assert_equal 1 "$(ls "/proc/$pid/task" | wc -l)" 'threads'
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "without a manifest, the shim is one small object and does nothing" {
  start_idle
  assert_untouched
}

@test "CALLMETER_DISABLE=1 does nothing" {
  manifest_of greet
  start_idle CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_DISABLE=1
  assert_untouched
}

@test "CALLMETER_DISABLE=0 is as if it were not set" {
  manifest_of greet
  start_metered CALLMETER_DISABLE=0 "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth greet success=3
}

@test "CALLMETER_EXE that does not match does nothing" {
  manifest_of greet
  start_idle CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_EXE='other*'
  assert_untouched
}

@test "CALLMETER_EXE matches the base name, the path and the name of a link" {
  local pattern program
  manifest_of greet
  ln -s "$(target greeter)" "$BATS_TEST_TMPDIR/by-another-name"
  while read -r program pattern; do
    start_metered CALLMETER_EXE="$pattern" "$program" greet 3
    wait_done
    scrape
    assert_truth greet success=3 || fail "with CALLMETER_EXE=$pattern"
    release
  done <<END
$(target greeter) greeter
$(target greeter) gree*
$(target greeter) $(target greeter)
$(target greeter) */targets/gr[e]eter
$BATS_TEST_TMPDIR/by-another-name by-another-name
$BATS_TEST_TMPDIR/by-another-name by-*-name
$BATS_TEST_TMPDIR/by-another-name greeter
END
}

@test "CALLMETER_EXE matches the absolute path of a name that is relative, and the first argument" {
  local program pattern
  manifest_of greet
  ln -s "$(target greeter)" "$BATS_TEST_TMPDIR/by-another-name"
  cd "$BATS_TEST_TMPDIR"
  for program in ./by-another-name .///by-another-name; do
    start_metered CALLMETER_EXE="$BATS_TEST_TMPDIR/by-another-name" "$program" greet 3
    wait_done
    release
  done
  for pattern in some-service '*/some-service' "$BATS_TEST_TMPDIR/run.*/some-service"; do
    start_metered CALLMETER_EXE="$pattern" bash -c 'cd "$1" && exec -a ./some-service "$2" greet 3' - \
      "$BATS_TEST_TMPDIR/run.$((run_number + 1))" "$(target greeter)"
    wait_done
    scrape
    assert_truth greet success=3 || fail "with CALLMETER_EXE=$pattern"
    release
  done
}

@test "executables with escapes of JSON are read as what they stand for" {
  manifest_json '{"version": 1, "executables": ["gre\u0065te\u0072"], "functions": [{"symbol": "greet"}]}'
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth greet success=3
  release
  manifest_json '{"version": 1, "executables": ["no\u0062ody"], "functions": [{"symbol": "no_such_function"}]}'
  run -0 --separate-stderr env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_STRICT=1 \
    "$(target greeter)" greet 3 </dev/null
  assert_equal '' "$stderr" 'standard error'
}

@test "executables of the manifest decide when CALLMETER_EXE is not set" {
  manifest_json '{"version": 1, "executables": ["nobody", "gre*"], "functions": [{"symbol": "greet"}]}'
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth greet success=3
  release
}

@test "a manifest that is for other programs does not take away those of another one" {
  manifest_json '{"version": 1, "executables": ["gre*"], "functions": [{"symbol": "greet"}]}'
  printf '%s' '{"version": 1, "executables": ["nobody"], "functions": []}' >"$BATS_TEST_TMPDIR/other.json"
  manifest=$manifest:$BATS_TEST_TMPDIR/other.json
  start_metered "$(target greeter)" greet 3
  wait_done
  scrape
  assert_truth greet success=3
  release
}

@test "executables that do not match: nothing is served and nothing runs beside the program" {
  manifest_json '{"version": 1, "executables": ["nobody"], "functions": [{"symbol": "greet"}]}'
  start_idle CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0
  assert_equal 1 "$(ls "/proc/$pid/task" | wc -l)" 'threads'
  [ ! -e "$port_file" ]
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
  assert_equal "$shim" "$(foreign_objects)" 'objects of callmeter in the process'
}

@test "an instrumented process keeps the modules out of the global scope" {
  local script='import ctypes, sys
names = "callmeter_http_start json_loads elf_begin dwarf_begin ZydisDecoderInit MHD_start_daemon unw_step".split()
print(*(name for name in names if hasattr(ctypes.CDLL(None), name)), flush=True)
print("done", flush=True)
sys.stdin.read()'
  manifest_json '{"version": 1, "functions": [{"symbol": "PyNumber_Add"}]}'
  start_metered /usr/bin/python3 -c "$script"
  wait_done
  assert_match 'callmeter/control.so' "$(foreign_objects)"
  assert_match 'callmeter/http.so.*libmicrohttpd' "$(foreign_objects | tr '\n' ' ')"
  assert_equal $'\ndone' "$(cat "$run_dir/out")" 'names that the program finds'
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "a program that exports the names of callmeter's own libraries is metered, and its functions are left alone" {
  run_bare "$(target namesakes)"
  manifest_of greet
  start_metered "$(target namesakes)"
  wait_done
  scrape
  assert_truths
  release
  assert_same_as_bare
}

# Its allocator has to serve both sides, so the modules cannot be bound to their own libraries first (RTLD_DEEPBIND).
@test "a program that exports the names of callmeter's own libraries and has an allocator of its own is metered" {
  local allocator=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
  [[ -e $allocator ]] || skip 'jemalloc is not installed'
  run_bare "$(target namesakes)"
  manifest_of greet
  start_metered LD_PRELOAD="$shim:$allocator" "$(target namesakes)"
  wait_done
  scrape
  assert_truths
  release
  assert_same_as_bare
}

@test "CALLMETER_LISTEN=none: counted by no thread and served nowhere" {
  manifest_of greet
  start_idle CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none
  assert_equal 1 "$(ls "/proc/$pid/task" | wc -l)" 'threads'
  [ ! -s "$port_file" ]
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
  release
  assert_equal 0 "$exit_status" 'exit status'
}

# greet_into DESCRIPTOR [COMMAND...]: the greeter, of whose manifest a function is missing, which the log tells.
greet_into() {
  local descriptor=$1
  shift
  manifest_of greet no_such_function
  "$@" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none CALLMETER_EXE=greeter \
    "$(target greeter)" greet 3 2>&"$descriptor" </dev/null | cat
  return "${PIPESTATUS[0]}"
}

@test "the log kills nobody: its reader is gone, its file may not grow, its pipe is full" {
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  exec 8<>"$BATS_TEST_TMPDIR/pipe" 9>"$BATS_TEST_TMPDIR/pipe"
  dd if=/dev/zero of="$BATS_TEST_TMPDIR/pipe" bs=4096 count=1024 oflag=nonblock 2>/dev/null || true
  run -0 greet_into 9
  assert_match 'greeted 3' "$output"
  exec 8<&-
  run -0 greet_into 9
  assert_match 'greeted 3' "$output"
  exec 9>"$BATS_TEST_TMPDIR/file"
  run -0 greet_into 9 prlimit --fsize=0
  assert_match 'greeted 3' "$output"
  exec 9>&-
}

@test "a limit on the size of files is no danger where code has to come from one" {
  require_target without-exec
  manifest_of greet
  run -0 bash -c "prlimit --fsize=0 '$(target without-exec)' mprotect env LD_PRELOAD='$shim' \
    CALLMETER_MANIFEST='$manifest' CALLMETER_LISTEN=none '$(target greeter)' greet 3 </dev/null | cat; exit \${PIPESTATUS[0]}"
  assert_match 'greeted 3' "$output"
}

@test "a program that is started by hand through ld.so" {
  manifest_of greet
  start_metered "$(readelf -lW "$(target greeter)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')" --preload "$shim" \
    "$(target greeter)" greet 3
  wait_done
  scrape
  assert_metric 3 calls_total function=greet module=greeter outcome=success
}

@test "the program finds arguments, environment, umask, the working directory and its descriptors as without the shim" {
  local look='echo "$0 $*"; pwd; umask; for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo "$fd"; done
    tr "\0" "\n" </proc/$$/environ | grep -vE "^(_=|LD_PRELOAD=|CALLMETER_)"; echo done; read line; true'
  manifest_json '{"version": 1, "functions": [{"symbol": "read", "object": "libc.so.6"}]}'
  run_bare sh -c "$look" a b c
  start_metered sh -c "$look" a b c
  wait_done
  release
  assert_same_as_bare
}

@test "modules of another build are not used, and the program runs" {
  local folder=$BATS_TEST_TMPDIR/objects modules
  modules=$(dirname "$(find "$build" -name control.so -not -type d -print -quit)")
  mkdir -p "$folder/callmeter"
  cp "$shim" "$folder"
  cp "$modules"/*.so "$folder/callmeter"
  nm -D --defined-only "$folder/callmeter/control.so" | grep -q 'callmeter_control_start_[0-9]' ||
    fail 'the name of the entry does not have the build in it'
  manifest_of greet
  cp "$modules/panic.so" "$folder/callmeter/http.so"
  run -0 env LD_PRELOAD="$folder/libcallmeter.so" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    "$(target greeter)" greet 3 </dev/null
  assert_match 'error: no endpoint: .*/http.so is not of the same build' "$output"
  cp "$modules/panic.so" "$folder/callmeter/control.so"
  run -0 env LD_PRELOAD="$folder/libcallmeter.so" CALLMETER_MANIFEST="$manifest" "$(target greeter)" greet 3 </dev/null
  assert_match 'error: the program runs uninstrumented: .*/control.so is not of the same build' "$output"
  assert_match 'greeted 3' "$output"
  run -78 env LD_PRELOAD="$folder/libcallmeter.so" CALLMETER_MANIFEST="$manifest" CALLMETER_STRICT=1 "$(target greeter)" </dev/null
}
