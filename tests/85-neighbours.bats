# Beside other preloaded objects, runtimes and tools: exact where there is room for a guest, aside where there is none.

load lib/helper

libraries=/usr/lib/x86_64-linux-gnu

require() {
  local each
  for each; do
    [[ -e $each ]] || command -v "$each" >/dev/null || skip "$each is not installed"
  done
}

### Other preloaded objects

cli() {
  redis-cli -s "$BATS_TEST_TMPDIR/redis.sock" "$@"
}

answers() {
  [[ $(cli ping 2>/dev/null) == PONG ]]
}

calls_in_commandstats() {
  cli info commandstats | tr -d '\r' | awk -F'[=,]' '/^cmdstat_/ { sum += $2 } END { printf "%d", sum }'
}

# redis_beside PRELOAD [VARIABLE=VALUE]...: with that LD_PRELOAD, redis-server's own statistics are what was counted.
redis_beside() {
  local preload=$1 truth
  shift
  # With the lowest numbers free, so that descriptors of the program and of callmeter's thread are the same ones.
  start_metered "$@" LD_PRELOAD= CALLMETER_EXE=redis-server \
    bash -c 'for fd in {3..30}; do exec {fd}>&-; done; LD_PRELOAD=$0 exec "$@"' "$preload" redis-server --port 0 --unixsocket "$BATS_TEST_TMPDIR/redis.sock" \
    --dir "$BATS_TEST_TMPDIR" --save '' --appendonly no
  wait_until answers
  redis-benchmark -s "$BATS_TEST_TMPDIR/redis.sock" -q -n 1500 -t set,get,lpush,hset >/dev/null
  scrape
  truth=$(calls_in_commandstats)
  assert_truth call success="$truth" || fail "with LD_PRELOAD=$preload"
  ((truth > 6000)) || fail "only $truth calls"
  cli shutdown nosave || true
  wait_exit
  assert_equal 0 "$exit_status" 'exit status'
  assert_lines 0 "$run_dir/err" callmeter
}

redis_in_both_orders() {
  require redis-server "$1"
  manifest_of call
  redis_beside "$shim:$1" "${@:2}"
  redis_beside "$1 $shim" "${@:2}"
}

@test "jemalloc, in both orders" {
  redis_in_both_orders "$libraries/libjemalloc.so.2"
}

@test "tcmalloc, in both orders" {
  redis_in_both_orders "$libraries/libtcmalloc_minimal.so.4"
}

@test "tcmalloc with its heap profiler, which unwinds stacks by libunwind and its pipe, in both orders" {
  local library=$libraries/libtcmalloc.so.4 profiles
  require redis-server "$library"
  manifest_of call
  for preload in "$shim:$library" "$library $shim"; do
    redis_beside "$preload" HEAPPROFILE="$BATS_TEST_TMPDIR/heap" HEAP_PROFILE_ALLOCATION_INTERVAL=2000000
  done
  profiles=("$BATS_TEST_TMPDIR"/heap.*.heap)
  [[ -s ${profiles[0]} ]]
}

@test "libeatmydata, in both orders" {
  redis_in_both_orders "$libraries/libeatmydata.so"
}

@test "heaptrack, which writes what is allocated to a descriptor of its own, in both orders" {
  local heaptrack=/usr/lib/heaptrack/libheaptrack_preload.so traces
  # heaptrack itself puts the number of the process in the place of the dollars.
  redis_in_both_orders "$heaptrack" DUMP_HEAPTRACK_OUTPUT="$BATS_TEST_TMPDIR/heaptrack.\$\$"
  # Each of the two has written its trace, and nothing of it was lost or went elsewhere.
  traces=("$BATS_TEST_TMPDIR"/heaptrack.*)
  assert_equal 2 "${#traces[@]}" traces
  for each in "${traces[@]}"; do
    (($(stat -c %s "$each") > 100000)) || fail "$each has $(stat -c %s "$each") bytes"
    assert_equal v "$(head -c 1 "$each")" "first byte of $each"
  done
}

# sqlite_beside [VARIABLE=VALUE]... [WRAPPER...]: the statements that the sqlite3 shell is given are its calls, besides
# those that it makes while it opens the database.
sqlite_beside() {
  local before i
  start_metered "$@"
  echo "create table t (a); select 'rea' || 'dy';" >&"$input_fd"
  wait_until said ready
  scrape
  before=$(calls_of sqlite3_prepare_v2)
  { for i in {1..200}; do echo "insert into t values ($i);"; done; echo "select count(*) from t; select 'do' || 'ne';"; } >&"$input_fd"
  wait_done
  scrape
  assert_truth sqlite3_prepare_v2 success=$((before + 202)) || fail "with: $*"
  assert_equal $'ready\n200\ndone' "$(cat "$run_dir/out")" output
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_lines 0 "$run_dir/err" 'callmeter|ERROR SUMMARY: [1-9]|Invalid'
}

sqlite_in_both_orders() {
  require sqlite3 "$1"
  manifest_json '{"version": 1, "functions": [{"symbol": "sqlite3_prepare_v2"}]}'
  sqlite_beside "${@:2}" LD_PRELOAD="$shim:$1" sqlite3 -batch
  sqlite_beside "${@:2}" LD_PRELOAD="$1 $shim" sqlite3 -batch
}

@test "libfaketime, in both orders, with another time and with a faster one" {
  sqlite_in_both_orders "$libraries/faketime/libfaketime.so.1" FAKETIME=-15d
  sqlite_in_both_orders "$libraries/faketime/libfaketimeMT.so.1" FAKETIME='+0 x10'
}

@test "gperftools' profiler, which takes SIGPROF, in both orders" {
  sqlite_in_both_orders "$libraries/libprofiler.so.0" CPUPROFILE="$BATS_TEST_TMPDIR/profile"
  [[ -s $BATS_TEST_TMPDIR/profile ]]
}

@test "fakeroot by messages and over TCP, which has a connection of its own, in both orders" {
  local way preload
  require sqlite3 fakeroot
  manifest_json '{"version": 1, "executables": ["sqlite3"], "functions": [{"symbol": "sqlite3_prepare_v2"}]}'
  for way in sysv tcp; do
    require "fakeroot-$way"
    # shellcheck disable=SC2016 # for the inner shell
    for preload in '$0:$LD_PRELOAD' '$LD_PRELOAD $0'; do
      sqlite_beside LD_PRELOAD= "fakeroot-$way" -- bash -c "LD_PRELOAD=\"$preload\" exec sqlite3 -batch" "$shim"
    done
  done
}

### Tools

@test "valgrind: with no tool and with memcheck" {
  local tool
  require sqlite3 valgrind
  manifest_json '{"version": 1, "executables": ["sqlite3"], "functions": [{"symbol": "sqlite3_prepare_v2"}]}'
  for tool in none memcheck; do
    sqlite_beside valgrind -q --tool=$tool --error-exitcode=9 sqlite3 -batch
  done
}

@test "strace follows all threads" {
  require sqlite3 strace
  manifest_json '{"version": 1, "executables": ["sqlite3"], "functions": [{"symbol": "sqlite3_prepare_v2"}]}'
  sqlite_beside strace -f -o "$BATS_TEST_TMPDIR/strace" sqlite3 -batch
}

@test "gdb attaches, looks through a tracked frame and lets go" {
  require gdb
  manifest_of wait_inside wait_deep_inside
  start_metered "$(target greeter)" inside
  wait_done
  gdb -q -batch -p "$pid" -ex 'thread apply all -q bt' -ex detach >"$BATS_TEST_TMPDIR/gdb" 2>&1 </dev/null || true
  assert_match 'wait_inside.*wait_deep_inside.*main' "$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/gdb")"
  scrape
  assert_truth wait_inside active=1
  release
  assert_equal 0 "$exit_status" 'exit status'
}

### Runtimes that leave room

@test "node: exact counts of its own functions, with the JIT compiler and the garbage collector at work" {
  require node
  manifest_json '{"version": 1, "functions": [{"symbol": "uv_fs_read"}, {"symbol": "deflateInit2_"}, {"symbol": "deflateEnd"}]}'
  start_metered node -e '
    const fs = require("fs"), zlib = require("zlib"), zero = fs.openSync("/dev/zero"), bytes = Buffer.alloc(10);
    for (let i = 0; i < 250; i++) zlib.deflateSync("hello" + i);
    for (let i = 0; i < 1000; i++) fs.readSync(zero, bytes, 0, 10, null);
    function sum(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s; }
    for (let i = 0; i < 200; i++) sum(100000);
    let kept = []; for (let i = 0; i < 500000; i++) kept.push({i});
    try { null.x; } catch (e) { console.log("caught"); }
    console.log("done"); process.stdin.resume();'
  wait_done
  scrape
  assert_truth uv_fs_read success=1000
  assert_truth deflateInit2_ success=250
  assert_truth deflateEnd success=250
  release
  assert_equal 0 "$exit_status" 'exit status'
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
}

@test "node: with all its functions tracked, the garbage collector finds its way through the stacks" {
  require node
  cat >"$BATS_TEST_TMPDIR/all.js" <<'END'
const fs = require("fs"), zlib = require("zlib");
const of = (n) => Array.from({length: n}, (_, i) => ({i, text: "s" + i}));
console.log("abc".replace(/(b)/g, (m) => { gc(); return m.toUpperCase(); }), [3, 1, 2].sort((x, y) => { gc(); return x - y; }).join());
console.log(JSON.parse(JSON.stringify(of(20000), (key, value) => { if (key === "5") gc(); return value; })).length);
for (let i = 0; i < 20; i++) zlib.deflateSync(Buffer.alloc(1000));
try { (function deep() { deep(); })(); } catch (e) { console.log(e.message); }
console.log(fs.statSync("/").isDirectory(), of(100000).map((x) => x.text.length).reduce((a, b) => a + b));
END
  run_bare node --expose-gc "$BATS_TEST_TMPDIR/all.js"
  manifest_json '{"version": 1, "functions": [{"symbol": "*", "object": "node"}]}'
  start_metered node --expose-gc "$BATS_TEST_TMPDIR/all.js" || true
  wait_exit
  assert_same_as_bare
}

# build NAME COMPILER ARGUMENT...: the greeter, built this way.
build() {
  "$2" -g -O1 -D_GNU_SOURCE -I"$root/tests/targets" "${@:3}" -o "$BATS_TEST_TMPDIR/$1" "$root/tests/targets/greeter.c" \
    >"$BATS_TEST_TMPDIR/build.log" 2>&1
}

@test "UndefinedBehaviorSanitizer is only a compiler's check: exact counts" {
  build greeter-undefined gcc -fsanitize=undefined || skip 'the compiler has no such sanitizer'
  manifest_of greet
  start_metered "$BATS_TEST_TMPDIR/greeter-undefined" greet 9
  wait_done
  scrape
  assert_truth greet success=9
  release
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
}

### Runtimes that do not

aside='callmeter\[[0-9]+\]: warn: the program runs uninstrumented: it '

# stands_aside REASON COMMAND...: one line says so, and the program is as bare. With `settings` as well.
settings=()
stands_aside() {
  local reason=$1
  shift
  run_bare "$@"
  start env "${settings[@]}" LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" "$@"
  release
  assert_same_as_bare || fail "$*"
  assert_lines 1 "$run_dir/err" "^$aside.*$reason"
  diff "$BATS_TEST_TMPDIR/bare.err" <(grep -vE "^$aside" "$run_dir/err") || fail "standard error differs: $*"
  [[ ! -e $port_file ]] || fail "$* has an endpoint"
}

@test "sanitizers of gcc: the program runs as bare, and the log says why" {
  local sanitizer
  manifest_of greet
  for sanitizer in address:AddressSanitizer thread:ThreadSanitizer leak:LeakSanitizer; do
    build "greeter-${sanitizer%:*}" gcc "-fsanitize=${sanitizer%:*}" || skip 'the compiler has no sanitizers'
    stands_aside "${sanitizer#*:}" "$BATS_TEST_TMPDIR/greeter-${sanitizer%:*}" greet 9
  done
}

@test "sanitizers of clang, linked in and shared" {
  local sanitizer shared
  manifest_of greet
  for sanitizer in address:AddressSanitizer thread:ThreadSanitizer memory:MemorySanitizer leak:LeakSanitizer; do
    build "greeter-${sanitizer%:*}" clang "-fsanitize=${sanitizer%:*}" || skip 'the compiler has no sanitizers'
    stands_aside "${sanitizer#*:}" "$BATS_TEST_TMPDIR/greeter-${sanitizer%:*}" greet 9
  done
  shared=$(dirname "$(clang -print-file-name=libclang_rt.asan-x86_64.so)")
  build greeter-shared clang -fsanitize=address -shared-libasan -Wl,-rpath,"$shared" || return 0
  stands_aside AddressSanitizer "$BATS_TEST_TMPDIR/greeter-shared" greet 9
}

@test "what a sanitizer finds is reported as ever, and options are heeded as ever" {
  cat >"$BATS_TEST_TMPDIR/overflow.c" <<'END'
#include <stdlib.h>
int main(int argc, char **argv) { volatile char *p = malloc(10); (void)argv; p[9 + argc] = 1; return 0; }
END
  gcc -g -fsanitize=address -o "$BATS_TEST_TMPDIR/overflow" "$BATS_TEST_TMPDIR/overflow.c" || skip 'no sanitizers'
  manifest_of greet
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$BATS_TEST_TMPDIR/overflow" 3>&-
  assert_equal 1 "$status" 'exit status'
  assert_match 'heap-buffer-overflow' "$output"
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" ASAN_OPTIONS=exitcode=42 "$BATS_TEST_TMPDIR/overflow" 3>&-
  assert_equal 42 "$status" 'exit status'
  # Options that a library of the program brings.
  echo 'const char *__asan_default_options(void) { return "exitcode=43"; }' >"$BATS_TEST_TMPDIR/options.c"
  gcc -shared -fPIC -o "$BATS_TEST_TMPDIR/liboptions.so" "$BATS_TEST_TMPDIR/options.c"
  gcc -g -fsanitize=address -o "$BATS_TEST_TMPDIR/overflow" "$BATS_TEST_TMPDIR/overflow.c" -Wl,--no-as-needed \
    "$BATS_TEST_TMPDIR/liboptions.so"
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$BATS_TEST_TMPDIR/overflow" 3>&-
  bare=0
  "$BATS_TEST_TMPDIR/overflow" >/dev/null 2>&1 || bare=$?
  assert_equal "$bare" "$status" 'exit status'
}

@test "libasan preloaded, in both orders" {
  local library
  library=$(gcc -print-file-name=libasan.so)
  [[ $library == /* ]] || skip 'there is no libasan'
  library=$libraries/$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')
  manifest_of greet
  for preload in "$shim:$library" "$library $shim"; do
    run env LD_PRELOAD="$preload" CALLMETER_MANIFEST="$manifest" CALLMETER_EXE=greeter "$(target greeter)" greet 3 </dev/null 3>&-
    assert_equal 0 "$status" "exit status with $preload" || fail "$output"
    assert_match "$aside.*AddressSanitizer" "$output"
    assert_match 'greeted 3' "$output"
  done
}

@test "Go programs, which look for the auxiliary vector behind the environment" {
  local program
  manifest_json '{"version": 1, "functions": [{"symbol": "write", "object": "libc.so.6"}]}'
  require prometheus promtool
  for program in prometheus promtool age fzf; do
    command -v "$program" >/dev/null || continue
    # With an even and an odd number of variables to be taken away, for the vector is one of pairs.
    settings=()
    stands_aside 'is a Go program' "$program" --version
    settings=(CALLMETER_LOG=warn)
    stands_aside 'is a Go program' "$program" --version
  done
}

@test "the Java machine" {
  require java
  manifest_json '{"version": 1, "functions": [{"symbol": "write", "object": "libc.so.6"}]}'
  stands_aside 'runs a Java virtual machine' java -Xshare:auto --version
}

@test "a process that is left alone leaves alone what it execs, but for programs that are meant by name" {
  local found
  cat >"$BATS_TEST_TMPDIR/launcher.c" <<'END'
#include <unistd.h>
int main(int argc, char **argv) { (void)argc; return execv(argv[1], argv + 1); }
END
  gcc -g -fsanitize=address -o "$BATS_TEST_TMPDIR/launcher" "$BATS_TEST_TMPDIR/launcher.c" || skip 'no sanitizers'
  manifest_of greet
  found=$(env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" "$BATS_TEST_TMPDIR/launcher" /usr/bin/env 2>&1 3>&-)
  # One that finds the shim cleans its own environment, but warns of a function that it does not have.
  [[ $found != *libcallmeter* && $found != *CALLMETER_* && $found != *missing* ]] || fail "$found"
  manifest_json '{"version": 1, "executables": ["launcher", "greeter"], "functions": [{"symbol": "greet"}]}'
  start_metered "$BATS_TEST_TMPDIR/launcher" "$(target greeter)" greet 6
  wait_done
  scrape
  assert_truth greet success=6
  release
}

@test "strict: a program that cannot be instrumented does not start" {
  require prometheus
  build greeter-address gcc -fsanitize=address || skip 'the compiler has no sanitizers'
  manifest_of greet
  for program in prometheus "$BATS_TEST_TMPDIR/greeter-address"; do
    run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_STRICT=1 "$program" --version 3>&-
    assert_equal 78 "$status" "exit status of $program"
  done
}

@test "callmeter check says it beforehand" {
  require prometheus java
  build greeter-address gcc -fsanitize=address || skip 'the compiler has no sanitizers'
  manifest_json '{"version": 1, "functions": [{"symbol": "write", "object": "libc.so.6"}]}'
  for each in 'prometheus=it is a Go program' 'java=it runs a Java' "$BATS_TEST_TMPDIR/greeter-address=AddressSanitizer"; do
    run "$callmeter" check -m "$manifest" "${each%%=*}"
    assert_equal 1 "$status" "exit status for ${each%%=*}"
    assert_match "refused .*${each#*=}" "$output"
  done
}
