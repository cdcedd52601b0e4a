# Interpreters and a server that handle errors by longjmp: each leaves calls that never return, all of which are counted
# as abandoned, and none of which is kept. And one whose coroutines share a stack. FULL=1: ten times as many.

load lib/helper
load lib/presets

teardown() {
  stop_all
  rm -rf "${postgres:-}"
}

setup() {
  times=10000
  [[ -z ${FULL:-} ]] || { times=100000 && deadline_seconds=120; }
  script_dir=$BATS_TEST_DIRNAME/targets
}

# meter_script INTERPRETER SCRIPT [SYMBOL=ERROR_CONDITION]...: as meter_victim. Functions whose truth has errors are judged.
meter_script() {
  local interpreter=$1 script=$2 judged
  command -v "$interpreter" >/dev/null || skip "$interpreter is not installed"
  shift 2
  run_bare "$interpreter" "$script" "$times"
  assert_equal 0 "$bare_status" 'exit status of the bare run' || { cat "$BATS_TEST_TMPDIR/bare.out" >&2; return 1; }
  mapfile -t functions < <(functions_of_bare)
  manifest_of "${functions[@]}"
  for judged; do
    jq --arg symbol "${judged%%=*}" --arg when "${judged#*=}" \
      '(.functions[] | select(.symbol == $symbol)).error_when = $when' "$manifest" >"$manifest.judged"
    mv "$manifest.judged" "$manifest"
  done
  start_metered "$interpreter" "$script" "$times"
  wait_done
  scrape
  assert_all_full "${#functions[@]}"
  assert_truths
  release
  assert_same_as_bare
}

# All that a truth calls abandoned left by a jump.
assert_all_jumped() {
  local words function abandoned
  while read -r -a words; do
    abandoned=$(printf '%s\n' "${words[@]}" | sed -n 's/^abandoned=//p')
    [[ ${words[0]} == truth && -n $abandoned ]] || continue
    function=${words[1]}
    assert_metric "$abandoned" calls_abandoned_total function="$function" reason=longjmp || return 1
  done <"$run_dir/out"
}

@test "Lua: errors, coroutines and their mixtures are counted to the call" {
  meter_script lua5.4 "$script_dir/errors.lua" 'lua_pcallk=ret != 0' 'lua_resume=ret != 0'
  assert_all_jumped
}

@test "Lua: with each function of its API and of its library tracked it does the same" {
  command -v lua5.4 >/dev/null || skip 'lua5.4 is not installed'
  run_bare lua5.4 "$script_dir/errors.lua" "$times"
  manifest_json '{"version": 1, "functions": [{"symbol": "lua*", "object": "lua5.4"}]}'
  start_metered lua5.4 "$script_dir/errors.lua" "$times"
  wait_done
  scrape
  assert_metric $((times * 4)) calls_abandoned_total function=lua_error reason=longjmp
  assert_metric $((times * 2)) calls_abandoned_total function=lua_yieldk reason=longjmp
  assert_metric $((times * 2)) calls_total function=lua_newthread outcome=success
  # The chunk is in progress, called by the interpreter.
  assert_equal 'lua_pcallk ' \
    "$(awk '/^callmeter_calls_active/ && $NF > 0' "$run_dir/metrics" | sed 's/.*function="\([^"]*\)".*/\1/' | sort | tr '\n' ' ')"
  release
  assert_same_as_bare
}

@test "Perl: die in eval, in deep calls and in the comparisons of a sort" {
  meter_script perl "$script_dir/errors.pl"
  assert_all_jumped
}

caught() {
  grep -q "\"caught $times\"" "$run_dir/out"
}

@test "PostgreSQL: errors that are caught within a transaction" {
  local bin as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  bin=$(find /usr/lib/postgresql/*/bin/initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
  [[ -n $bin ]] || skip 'postgresql is not installed'
  ((EUID == 0)) || skip 'the server of postgresql needs a user of its own, and so root to start it'
  postgres=$(mktemp -d "$BATS_TMPDIR/postgres.XXXXXX")
  manifest_of errfinish int4div pg_re_throw SPI_execute_plan_with_paramlist BeginInternalSubTransaction
  mv "$manifest" "$postgres/manifest.json"
  chown -R postgres "$postgres"
  manifest=$postgres/manifest.json
  (cd / && "${as_postgres[@]}" "$bin/initdb" -D "$postgres/data" -A trust -U postgres --no-sync >/dev/null 3>&-)
  cd /
  start "${as_postgres[@]}" env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$postgres/port" "$bin/postgres" --single -D "$postgres/data" postgres
  port_file=$postgres/port
  wait_for_address
  # In one line: --single takes each for a command.
  printf '%s ' "create function fail(times int) returns text language plpgsql as \$\$ declare n int := 0;" \
    "begin for i in 1..times loop begin perform 1/(i-i); exception when division_by_zero then n := n + 1; end;" \
    "end loop; return 'caught ' || n; end \$\$;" >&"$input_fd"
  printf '\nselect fail(%s);\n' "$times" >&"$input_fd"
  wait_until caught
  scrape
  assert_truth int4div abandoned="$times"
  assert_truth errfinish abandoned="$times"
  assert_truth pg_re_throw abandoned="$times"
  assert_truth SPI_execute_plan_with_paramlist abandoned="$times"
  assert_truth BeginInternalSubTransaction success="$times"
  release
  assert_equal 0 "$exit_status" 'exit status'
}

@test "Python: greenlets, whose stacks are copied away while they sleep" {
  /usr/bin/python3 -c 'import greenlet' 2>/dev/null || skip 'python3-greenlet is not installed'
  meter_script /usr/bin/python3 "$script_dir/greenlets.py"
  # Those that sleep are in progress: nothing was taken for left, not for a moment.
  assert_metric 0 calls_abandoned_total function=lfind reason=longjmp
}
