# Reports of panics: the frames are those that gdb finds in the same program without callmeter, and the files are safe.

load lib/helper
bats_require_minimum_version 1.5.0

teardown() {
  stop_all
  [[ -z ${full_disk:-} ]] || umount "$full_disk" || true
}

# panics_manifest FUNCTION...: `$panics` is a JSON object with more of the manifest's panics.
panics_manifest() {
  manifest=$BATS_TEST_TMPDIR/manifest.json
  reports=${reports:-$BATS_TEST_TMPDIR/reports}
  jq -n --arg folder "$reports" --argjson more "${panics:-{\}}" \
    '{version: 1, functions: [$ARGS.positional[] | {symbol: ., optional: true}],
      panics: ({report_dir: $folder} + $more)}' --args "$@" >"$manifest"
}

# crash VICTIM MODE: under the manifest; sets exit_status and report, the newest file.
crash() {
  run_dir=$BATS_TEST_TMPDIR
  exit_status=0
  { env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target "$1")" "${@:2}" \
    </dev/null >"$run_dir/out" 2>"$run_dir/err" 3>&- || exit_status=$?; } 2>/dev/null
  report=$(find "$reports" -name 'panic-*.json' 2>/dev/null | sort | tail -n 1)
}

field() {
  jq -r ".$1" "$report"
}

all_functions=('inner_*' outer helper first_load pushes calls_first library_calls library_faults)

# gdb_frames VICTIM MODE: module and offset of each frame up to main, of the bare program.
gdb_frames() {
  gdb -q -nx -batch -iex "set index-cache directory $BATS_FILE_TMPDIR/index" -iex 'set index-cache enabled on' \
    -x "$BATS_TEST_DIRNAME/lib/frames.py" --args "$(target "$1")" "$2" </dev/null 2>&1 |
    sed -n 's/^frame //p'
}

# assert_frames_as_gdb VICTIM MODE [FUNCTION]: FUNCTION is the innermost tracked one.
assert_frames_as_gdb() {
  local expected actual
  expected=$(gdb_frames "$1" "$2")
  [[ $(wc -l <<<"$expected") -ge 3 ]] || fail "gdb found too few frames in $1 $2:" "$expected" || return 1
  rm -rf "$reports"
  crash "$1" "$2"
  [[ -n $report ]] || fail "no report of $1 $2:" "$(cat "$run_dir/err")" || return 1
  jq -e . "$report" >/dev/null || fail "the report of $1 $2 is no JSON:" "$(cat "$report")" || return 1
  actual=$(jq -r '.frames[] | .module + " " + .offset' "$report" | head -n "$(wc -l <<<"$expected")")
  assert_equal "$expected" "$actual" "frames of $1 $2" || return 1
  (($# < 3)) || assert_equal "$3" "$(field function)" "innermost tracked function of $1 $2"
}

assert_all_modes() {
  require_target "$1"
  local mode
  local -A innermost=([faults]=inner_faults [calls]=helper [moved]=first_load [pushed]=pushes [call-moved]=helper
    [null-call]=inner_null_call [library]=library_calls [library-fault]=library_faults [handler]=helper [abort]=inner_abort)
  panics_manifest "${all_functions[@]}"
  for mode in "${!innermost[@]}"; do
    assert_frames_as_gdb "$1" "$mode" "${innermost[$mode]}" || return 1
  done
}

@test "frames are those that gdb finds: gcc -O2" {
  assert_all_modes report-crash
}

@test "frames are those that gdb finds: gcc -O0, not position-independent" {
  assert_all_modes report-crash-O0
}

@test "frames are those that gdb finds: stripped" {
  assert_all_modes report-crash-stripped
}

@test "frames are those that gdb finds: clang -O2" {
  assert_all_modes report-crash-clang
}

@test "frames are those that gdb finds: clang -O0, not position-independent" {
  assert_all_modes report-crash-clang-O0
}

@test "frames are those that gdb finds where only outer functions are tracked" {
  panics_manifest 'outer' 'inner_*'
  assert_frames_as_gdb report-crash moved inner_moved
  assert_frames_as_gdb report-crash handler inner_handler
  assert_equal 'helper handler' "$(jq -r '[.frames[:2][].symbol] | join(" ")' "$report")" 'names in front of the signal'
  assert_match '^(__restore_rt)?$' "$(field 'frames[2].symbol')" # where libc's debug file is installed
  panics_manifest 'nothing_of_that_name'
  assert_frames_as_gdb report-crash calls ''
  assert_equal '' "$(field module)" module
  assert_equal '[]' "$(jq -c .active "$report")" 'calls in progress'
}

@test "frames are those that gdb finds: C++, by a fault and by an exception that nobody catches" {
  panics_manifest 'ns::Worker::run' 'ns::apply*' 'start*'
  assert_frames_as_gdb report-names fault && assert_match '^ns::Worker::run\(' "$(field function)"
  assert_frames_as_gdb report-names throw && assert_match '^ns::Worker::run\(' "$(field function)"
  assert_equal SIGABRT "$(field signal)" signal
}

@test "frames are those that gdb finds where stubs only count, sample or read arguments" {
  local each mode
  for each in '{mode: "count"}' '{sample_rate: 0.5}' '{kind: "worker", items: {arg: 1, type: "int"}}'; do
    panics_manifest "${all_functions[@]}"
    jq ".functions[] |= . + $each" "$manifest" >"$manifest.new" && mv "$manifest.new" "$manifest"
    for mode in moved pushed call-moved handler; do
      assert_frames_as_gdb report-crash "$mode" || fail "with $each"
    done
  done
}

@test "a stack overflow in a tracked recursion has a report" {
  panics_manifest 'inner_*' recurse
  for victim in report-crash report-crash-O0; do
    rm -rf "$reports"
    crash "$victim" overflow
    assert_equal recurse "$(field function)" function
    # The innermost ones may be callmeter's: its frames lie on the same stack.
    assert_equal '60 recurse' "$(jq -r '[.frames[4:][].symbol] | "\(length) \(unique | join(" "))"' "$report")" frames
  done
  panics_manifest 'inner_*' recurse
  jq '.panics.backtrace_depth = 5' "$manifest" >"$manifest.new" && mv "$manifest.new" "$manifest"
  rm -rf "$reports"
  crash report-crash overflow
  assert_equal 5 "$(jq '.frames | length' "$report")" 'frames of a report of depth 5'
}

@test "a report has all fields, and what they say is so" {
  local before after
  panics_manifest 'inner_*' helper
  before=$(date -u +%FT%T)
  crash report-crash calls
  after=$(date -u +%FT%T)
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal 'active address code comm frames function module pid recovered registers signal tid time version' \
    "$(jq -r 'keys | join(" ")' "$report")" keys
  assert_equal '1 report-crash SIGSEGV SEGV_MAPERR 0x0 helper report-crash' \
    "$(jq -r '[.version, .comm, .signal, .code, .address, .function, .module] | join(" ")' "$report")"
  [[ $(field time) > $before && $(field time) < "${after}~" ]] || fail "time $(field time), not from $before to $after"
  assert_equal "$(field pid)" "$(field tid)" 'thread of the first'
  assert_match "^panic-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-$(field pid)-$(field tid)\.json$" "$(basename "$report")"
  assert_equal 600 "$(stat -c %a "$report")" mode
  assert_equal "$(file -b "$(target report-crash)" | sed 's/.*BuildID\[sha1\]=\([0-9a-f]*\).*/\1/')" \
    "$(field 'frames[0].build_id')" 'build id'
  assert_equal 'helper inner_calls outer main' "$(jq -r '[.frames[:4][].symbol] | join(" ")' "$report")" symbols
  assert_equal '["helper","inner_calls"]' "$(jq -c '.active[0].calls' "$report")" 'calls in progress'
  assert_equal 18 "$(jq '.registers | length' "$report")" registers
  # The last digits of an address are the same wherever the object lies.
  assert_equal "$(field 'frames[0].offset' | tail -c 4)" "$(field registers.rip | tail -c 4)" 'end of rip'
  assert_equal 1 "$(ls -A "$reports" | wc -l)" 'files in the folder'
  assert_equal "callmeter[$(field pid)]: error: SIGSEGV (SEGV_MAPERR) at 0x0 in helper (report-crash), report in $report" \
    "$(cat "$run_dir/err")" 'standard error'
}

@test "calls in progress of other threads are in the report" {
  panics_manifest waits waits_inside dies
  crash report-threads
  assert_equal '["dies"] ["waits_inside","waits"] ["waits_inside","waits"]' \
    "$(jq -rc '[.active | sort_by(.calls)[] | .calls | tojson] | join(" ")' "$report")"
  assert_equal 3 "$(jq '[.active[].tid] | unique | length' "$report")" threads
  assert_equal "$(field tid)" "$(jq '.active[] | select(.calls == ["dies"]).tid' "$report")" 'thread that died'
}

@test "nothing is allocated in the handler" {
  panics_manifest dies
  crash report-allocator
  assert_equal 139 "$exit_status" 'exit status'
  assert_equal dies "$(field function)" function
}

@test "no descriptor is left open by what reports need" {
  local with without
  panics_manifest nothing_of_that_name
  jq 'del(.panics.report_dir)' "$manifest" >"$manifest.without"
  without=$(env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest.without" CALLMETER_LISTEN=none ls /proc/self/fd | wc -l)
  with=$(env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none ls /proc/self/fd | wc -l)
  assert_equal "$without" "$with" 'open descriptors'
}

@test "at most max_reports are kept, the newest, and nothing else is touched" {
  local i
  panics='{"max_reports": 3}' panics_manifest 'inner_*'
  mkdir -m 700 "$reports"
  touch "$reports/notes.json" "$reports/panic-of-mine.json" "$reports/panic-20200101T000000.000Z-1-1.json"
  for i in 1 2 3 4 5; do crash report-crash faults; done
  assert_equal 3 "$(find "$reports" -name 'panic-2*' | wc -l)" reports
  [[ ! -e $reports/panic-20200101T000000.000Z-1-1.json ]] || fail 'the oldest report is still there'
  [[ -e $reports/notes.json && -e $reports/panic-of-mine.json ]] || fail 'a file of somebody else is gone'
}

# assert_no_report REASON: it dies as ever, and says why there is no report.
assert_no_report() {
  crash report-crash faults
  assert_equal 139 "$exit_status" 'exit status'
  assert_match "inner_faults \(report-crash\), no report in [^:]*: $1$" "$(tail -n 1 "$run_dir/err")"
}

@test "a folder that cannot be used is said, and nothing else happens" {
  reports=$BATS_TEST_TMPDIR/missing/below
  panics_manifest 'inner_*'
  assert_no_report 'No such file or directory'
  assert_match 'warn: no reports of panics can be written to .*: No such file or directory' "$(head -n 1 "$run_dir/err")"

  reports=$BATS_TEST_TMPDIR/open
  mkdir -m 770 "$reports"
  panics_manifest 'inner_*'
  assert_no_report 'Operation not permitted'
  assert_match 'warn: .*: it belongs to someone else, or others can write there' "$(head -n 1 "$run_dir/err")"
  assert_equal '' "$(ls -A "$reports")" 'files in the folder'

  reports=$BATS_TEST_TMPDIR/link
  mkdir -m 700 "$BATS_TEST_TMPDIR/safe"
  ln -s "$BATS_TEST_TMPDIR/safe" "$reports"
  panics_manifest 'inner_*'
  assert_no_report 'Not a directory'

  reports=$BATS_TEST_TMPDIR/file
  touch "$reports"
  panics_manifest 'inner_*'
  assert_no_report 'Not a directory'
}

@test "a folder of somebody else is not used, one in which others cannot touch the reports is" {
  ((EUID == 0)) || skip 'only root can give folders away'
  reports=$BATS_TEST_TMPDIR/foreign
  mkdir -m 700 "$reports"
  chown 65534 "$reports"
  panics_manifest 'inner_*'
  assert_no_report 'Operation not permitted'
  assert_match 'warn: .*: it belongs to someone else, or others can write there' "$(head -n 1 "$run_dir/err")"
  assert_equal '' "$(ls -A "$reports")" 'files in the folder'

  reports=$BATS_TEST_TMPDIR/sticky
  mkdir -m 1777 "$reports"
  panics_manifest 'inner_*'
  crash report-crash faults
  assert_equal inner_faults "$(field function)" 'function of the report'
  assert_lines 0 "$run_dir/err" 'warn:'
}

@test "reports can be read by who made them, whatever the umask was" {
  panics_manifest helper
  (umask 0777 && exec env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    "$(target report-crash)" faults) >/dev/null 2>&1 </dev/null || true
  assert_equal '700 600' "$(find "$reports" -printf '%m ' | sed 's/ $//')" 'modes of the folder and the report'
}

@test "a full disk is said, and leaves nothing behind" {
  full_disk=$BATS_TEST_TMPDIR/disk
  mkdir -m 700 "$full_disk"
  mount -t tmpfs -o size=64k,mode=700 tmpfs "$full_disk" 2>/dev/null || { full_disk=; skip 'no right to mount'; }
  dd if=/dev/zero of="$full_disk/ballast" bs=4096 count=16 2>/dev/null || true
  reports=$full_disk
  panics_manifest 'inner_*'
  assert_no_report 'No space left on device'
  assert_equal ballast "$(ls -A "$full_disk")" 'files on the disk'
}

@test "a library that was replaced on the disk gives no names" {
  local copy=$BATS_TEST_TMPDIR/copy
  mkdir "$copy"
  cp "$(target report-crash)" "$(target libreport.so)" "$copy"
  panics_manifest 'inner_*'
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$copy/report-crash" library wait
  wait_until grep -q 'libreport' "/proc/$pid/maps"
  wait_until test -d "$reports"
  cp "$(target libvictim.so)" "$copy/new" && mv "$copy/new" "$copy/libreport.so"
  release
  report=$(find "$reports" -name 'panic-*.json')
  assert_equal 'report-crash libreport.so' "$(jq -r '[.frames[:3][].module] | unique | reverse | join(" ")' "$report")" modules
  assert_equal '' "$(jq -r '.frames[] | select(.module == "libreport.so").symbol' "$report" | tr -d '\n')" 'names of the library'
  assert_equal main "$(jq -r '.frames[] | select(.symbol == "main").symbol' "$report")" 'names of the program'
}

@test "callmeter panics and the endpoint show them, with names that people can read" {
  panics_manifest 'ns::Worker::run'
  crash report-names fault
  jq -e '.frames[0].symbol | startswith("_ZN2ns6Worker3run")' "$report" >/dev/null || fail "$(cat "$report")"
  run -0 "$callmeter" panics "$reports"
  assert_match 'SIGSEGV \(SEGV_MAPERR\) at 0x0 in ns::Worker::run' "${lines[0]}"
  assert_match 'ns::Worker::run\(.*string.* const&, unsigned long\)  report-names\+0x' "${lines[2]}"
  assert_match 'int ns::apply<' "${lines[4]}"

  crash report-names fault
  start_metered "$(target greeter)" || fail "$(cat "$run_dir/err")"
  run -0 "$callmeter" panics --json "http://$address"
  assert_equal 2 "$(jq '.panics | length' <<<"$output")" reports
  assert_equal true "$(jq '.panics | map(.time) == (map(.time) | sort | reverse)' <<<"$output")" 'newest first'
  assert_match '^ns::Worker::run\(' "$(jq -r '.panics[0].frames[0].symbol' <<<"$output")"
  assert_equal application/json "$(curl -sS -o "$run_dir/body" -w '%{content_type}' "http://$address/api/v1/panics")"
  diff <(jq -S . <<<"$output") <(jq -S . "$run_dir/body")

  # Registers and addresses are for the program's user alone, but where the manifest says otherwise.
  assert_equal '[false,false]' "$(jq -c '[.panics[] | has("registers") or has("address")]' "$run_dir/body")" 'registers over TCP'
  assert_equal true "$(jq '.panics[0].frames | length > 3' "$run_dir/body")" frames
  run -0 "$callmeter" panics "http://$address"
  assert_match 'SIGSEGV \(SEGV_MAPERR\) in ns::Worker::run' "${lines[0]}"
  assert_equal 421 "$(curl -sS -o "$run_dir/body" -w '%{http_code}' -H 'Host: evil.example' "http://$address/api/v1/panics")" 'a foreign host'
  assert_match 'web\.hosts' "$(cat "$run_dir/body")"
  assert_equal 200 "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Host: evil.example' "http://$address/metrics")" 'a scraper'

  # What is no report is left out.
  echo '{"version": 1}' >"$reports/panic-20260101T000000.000Z-1-2.json"
  echo 'not even JSON' >"$reports/panic-20260101T000000.000Z-1-3.json"
  mkfifo "$reports/panic-20260101T000000.000Z-1-4.json"
  ln -s "$report" "$reports/panic-20260101T000000.000Z-1-5.json"
  run -0 "$callmeter" panics --json "http://$address"
  assert_equal 2 "$(jq '.panics | length' <<<"$output")" reports
  run -0 "$callmeter" panics --json "$reports"
  assert_equal 2 "$(jq '.panics | length' <<<"$output")" reports
}

@test "the endpoint serves registers over a Unix socket, and where the manifest says so, under further names" {
  panics_manifest 'ns::Worker::run'
  crash report-names fault
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN="unix:$BATS_TEST_TMPDIR/socket" "$(target greeter)"
  wait_until curl -sS --unix-socket "$BATS_TEST_TMPDIR/socket" -H 'Host: evil.example' -o "$run_dir/body" http://x/api/v1/panics
  assert_equal '["0x0",true]' "$(jq -c '.panics[0] | [.address, has("registers")]' "$run_dir/body")" 'over a Unix socket'
  jq '.panics.registers = true | .web.hosts = ["box.example"]' "$manifest" >"$BATS_TEST_TMPDIR/said.json"
  manifest=$BATS_TEST_TMPDIR/said.json
  start_metered "$(target greeter)" || fail "$(cat "$run_dir/err")"
  curl -sS -o "$run_dir/body" -H 'Host: BOX.example:80' "http://$address/api/v1/panics"
  assert_equal '["0x0",true]' "$(jq -c '.panics[0] | [.address, has("registers")]' "$run_dir/body")" 'as the manifest says'
}

@test "an endpoint without reports has an empty list, and only lets it be read" {
  manifest_of greet
  start_metered "$(target greeter)" || fail "$(cat "$run_dir/err")"
  assert_equal '{"panics":[]}' "$(curl -sS "http://$address/api/v1/panics")"
  assert_equal 405 "$(curl -sS -o /dev/null -w '%{http_code}' -X POST "http://$address/api/v1/panics")" status
  run -0 "$callmeter" panics "http://$address"
  assert_equal "callmeter: http://$address: no reports of panics" "$output"
}

@test "callmeter panics says what is wrong" {
  run -69 "$callmeter" panics "$BATS_TEST_TMPDIR/missing"
  assert_equal "callmeter: $BATS_TEST_TMPDIR/missing: No such file or directory" "$output"
  run -69 "$callmeter" panics http://127.0.0.1:1
  assert_equal 'callmeter: http://127.0.0.1:1: Connection refused' "$output"
  run -69 "$callmeter" panics 127.0.0.1:1
  assert_equal 'callmeter: 127.0.0.1:1: Connection refused' "$output"
  run -69 "$callmeter" panics http://127.0.0.1:99999
  assert_equal 'callmeter: http://127.0.0.1:99999: "99999" is not a port; expected 0 to 65535' "$output"
  run -69 "$callmeter" panics https://127.0.0.1:1
  assert_match 'https://127.0.0.1:1: expected http:// or unix:' "$output"
  run -69 "$callmeter" panics "unix:$BATS_TEST_TMPDIR/missing"
  assert_match 'No such file or directory' "$output"
  run -64 "$callmeter" panics one two
  assert_match 'two: panics takes one URL or folder' "$output"
  mkdir "$BATS_TEST_TMPDIR/empty"
  run -0 "$callmeter" panics "$BATS_TEST_TMPDIR/empty"
  assert_match 'no reports of panics' "$output"
}
