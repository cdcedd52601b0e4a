# Programs that exec others, and themselves: who finds the shim again, and in what order the environment is left.

load lib/helper

# Sends everything to the one whose name is `executables`, however it is started.
setup() {
  manifest_json '{"version": 1, "executables": ["greeter"], "functions": [{"symbol": "greet"}]}'
}

### Through wrappers

# wrapped COMMAND...: the greeter is started by these words; it alone is instrumented, and served.
wrapped() {
  start_metered "$@" "$(target greeter)" greet 9
  wait_done
  scrape
  assert_truth greet success=9 || fail "through: $*"
  assert_lines 0 "$run_dir/err" callmeter
  release
  assert_equal 0 "$exit_status" "exit status through: $*"
}

@test "executables: the program is found through shells and the usual wrappers" {
  local shell
  for shell in sh bash dash; do
    wrapped "$shell" -c 'exec "$0" "$@"'
    wrapped "$shell" -c '"$0" "$@"; exit $?'
    wrapped "$shell" -c 'true | cat; (env -u SOMETHING "$0" "$@"); exit $?'
  done
  wrapped env A=1 nice -n 1 nohup setsid -w timeout 60
  wrapped bash -c 'env bash -c "sh \"\$0\" \"\$@\"" "$0" "$@"; exit $?' "$(script)"
}

# A script that runs what its arguments say.
script() {
  printf '#!/bin/sh\n"$@"\n' >"$BATS_TEST_TMPDIR/wrapper.sh"
  chmod +x "$BATS_TEST_TMPDIR/wrapper.sh"
  printf '%s' "$BATS_TEST_TMPDIR/wrapper.sh"
}

@test "executables: through a script with callmeter run, and xargs" {
  echo 'greet 9' >"$BATS_TEST_TMPDIR/arguments"
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.1/port" "$callmeter" run -m "$manifest" -l 127.0.0.1:0 -- \
    "$(script)" xargs -a "$BATS_TEST_TMPDIR/arguments" "$(target greeter)"
  wait_for_address
  wait_until scrape
  wait_until has_counted greet 9
  assert_match 'wrapper.sh matches none' "$(cat "$run_dir/err")"
}

has_counted() {
  scrape && [[ $(calls_of "$1") == "$2" ]]
}

@test "CALLMETER_EXE: the same, and it goes before the manifest's names" {
  manifest_json '{"version": 1, "executables": ["nobody"], "functions": [{"symbol": "greet"}]}'
  start_metered CALLMETER_EXE=gree* sh -c '"$0" greet 4; exit $?' "$(target greeter)"
  wait_done
  scrape
  assert_truth greet success=4
  release
}

### What others find

# found_by WAY: what env prints when the program runs it that way, LD_PRELOAD and callmeter's variables only.
found_by() {
  env LD_PRELOAD="$LD_PRELOAD_HERE" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_LOG=warn \
    "$(target exec-others)" "$@" 2>&1 3>&- | grep -E 'LD_PRELOAD|CALLMETER|callmeter|FAILED'
}

ways='execv execve main-environment first-environment execl execle execlp execvp execvpe fexecve execveat raw system
  popen spawn spawnp'

@test "programs that an instrumented one execs have a clean environment, by whatever way" {
  local way
  manifest_of greet
  for way in $ways; do
    LD_PRELOAD_HERE=$shim
    assert_equal '' "$(found_by "$way")" "found by $way"
  done
}

@test "other preloaded objects are left exactly as they were, with blanks and colons" {
  local way empty=$targets/empty.so
  manifest_of greet
  cp "$empty" "$BATS_TEST_TMPDIR/other.so"
  for way in execv first-environment raw system spawn; do
    LD_PRELOAD_HERE="$empty $shim:$BATS_TEST_TMPDIR/other.so"
    assert_equal "LD_PRELOAD=$empty:$BATS_TEST_TMPDIR/other.so" "$(found_by "$way")" "found by $way"
    LD_PRELOAD_HERE="$shim:$empty $BATS_TEST_TMPDIR/other.so"
    assert_equal "LD_PRELOAD=$empty $BATS_TEST_TMPDIR/other.so" "$(found_by "$way")" "found by $way"
  done
}

@test "all other variables stay, in their order, also for those who look in the initial array" {
  local -a environment=(env -i A=1 LD_PRELOAD="$shim" B=2 CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none C=3)
  manifest_of greet
  assert_equal $'A=1\nB=2\nC=3' "$("${environment[@]}" "$(target exec-others)" execv)" 'environment'
  assert_equal $'A=1\nB=2\nC=3' "$("${environment[@]}" "$(target exec-others)" main-environment)" "main's"
  assert_equal '' "$(env -i LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    "$(target exec-others)" execv)" 'empty environment'
}

@test "an environment with the shim that the program makes itself is handed over" {
  manifest_json '{"version": 1, "functions": [{"symbol": "no_such_function", "optional": true}]}'
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    bash -c "LD_PRELOAD=$shim CALLMETER_MANIFEST=/elsewhere CALLMETER_DISABLE=1 sh -c 'exec env'" 3>&-
  assert_match "LD_PRELOAD=$shim"$'\n' "$output"$'\n'
  assert_match 'CALLMETER_MANIFEST=/elsewhere' "$output"
}

@test "relative paths of the shim and the manifest hold for those who find them again, wherever they are" {
  cp "$(target exec-anew)" "$(target greeter)" "$BATS_TEST_TMPDIR"
  ln -s "$(dirname "$shim")/callmeter" "$BATS_TEST_TMPDIR/callmeter"
  cp "$shim" "$BATS_TEST_TMPDIR/libcallmeter.so"
  manifest_json '{"version": 1, "follow_exec": true, "functions": [{"symbol": "greet", "optional": true}]}'
  cd "$BATS_TEST_TMPDIR"
  start env LD_PRELOAD=./libcallmeter.so CALLMETER_MANIFEST=manifest.json CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE=port sh -c 'cd /; exec "$0" greet 9' "$BATS_TEST_TMPDIR/greeter"
  port_file=$BATS_TEST_TMPDIR/port
  wait_done
  wait_until has_new_address
  assert_truth greet success=9
  release
  assert_equal '' "$(cat "$run_dir/err")" 'standard error'
}

@test "what a program sets itself goes before what it was started with, for one that executables names" {
  local found way
  manifest_json '{"version": 1, "executables": ["exec-others", "env"], "functions": [{"symbol": "greet", "optional": true}]}'
  for way in execve execle execvpe fexecve execveat spawn spawnp; do
    found=$(env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
      "$(target exec-others)" own-settings /usr/bin/env "$way" 2>&1 3>&-)
    assert_match 'CALLMETER_DISABLE=1' "$found"
    assert_equal CALLMETER_LISTEN=127.0.0.1:1 "$(grep LISTEN <<<"$found")" "listen, by $way"
    assert_match "CALLMETER_MANIFEST=$manifest" "$found"
    assert_match "LD_PRELOAD=$shim:$targets/empty.so" "$found"
  done
}

@test "an environment that a program makes is handed over by every way, to one that nothing names" {
  local found way
  manifest_of greet
  for way in execve execle execvpe fexecve execveat raw spawn spawnp; do
    found=$(env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
      "$(target exec-others)" own-settings /usr/bin/env "$way" 2>&1 3>&-)
    assert_equal "LD_PRELOAD=$targets/empty.so CALLMETER_DISABLE=1 CALLMETER_LISTEN=127.0.0.1:1" "${found//$'\n'/ }" \
      "found by $way"
  done
}

@test "children of vfork that exec one that executables names leave no memory behind" {
  manifest_json '{"version": 1, "executables": ["exec-others", "true"], "functions": [{"symbol": "greet", "optional": true}]}'
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target exec-others)" often \
    /usr/bin/true 3>&-
  assert_equal 0 "$status" 'exit status' || fail "$output"
}

# leaves_nothing MODE [PATH]: bare and instrumented, with a manifest by which all of them get the shim, and by which none does.
leaves_nothing() {
  local others
  run "$(target exec-others)" "$@" 3>&-
  assert_equal 0 "$status" 'exit status of the bare program' || fail "$output"
  for others in '"not-to-run", "true", "sh"' '"nobody"'; do
    manifest_json '{"version": 1, "executables": ["exec-others", '"$others"'], "functions": [{"symbol": "greet"}]}'
    run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none "$(target exec-others)" "$@" 3>&-
    assert_equal 0 "$status" 'exit status' || fail "$output"
  done
}

@test "an exec that fails leaves errno, memory and signals as they were, by whatever way" {
  touch "$BATS_TEST_TMPDIR/not-to-run"
  leaves_nothing fail-often "$BATS_TEST_TMPDIR/not-to-run"
}

@test "children that are made in libc leave memory and signals as they were" {
  leaves_nothing spawn-often
}

### Itself

# executes_itself WAY [VARIABLE=VALUE]...: and counts on in the new image, which alone is served afterwards.
executes_itself() {
  local way=$1 program=$BATS_TEST_TMPDIR/exec-anew first
  shift
  cp "$(target exec-anew)" "$program.new"
  mv "$program.new" "$program"
  start_metered "$@" "$program" "$way" 7
  first=$address
  wait_done
  wait_until has_new_address
  [[ $way == spawn ]] || assert_equal "$first" "$address" "address by: $way"
  assert_truth greet success=7 || fail "by: $way"
  assert_metric 1 function_info function=greet module=exec-anew mode=full
  assert_lines 0 "$run_dir/out" finds
  release
  assert_equal 0 "$exit_status" "exit status by: $way"
}

# The same process keeps the address that was picked for it; a child has its own.
has_new_address() {
  address=$(<"$port_file")
  scrape
}

@test "a program that execs itself anew stays instrumented, without executables and follow_exec" {
  local way
  manifest_of greet
  for way in proc path list search descriptor execveat upgrade; do
    executes_itself "$way"
  done
}

@test "so it does with an environment of its own making, and from another directory" {
  local way
  manifest_of greet
  cd "$BATS_TEST_TMPDIR"
  for way in own-environment no-environment directory; do
    executes_itself "$way" CALLMETER_MANIFEST=manifest.json CALLMETER_PORT_FILE="run.$((run_number + 1))/port"
  done
}

@test "a program that starts itself anew as a child: both are instrumented" {
  manifest_of greet
  executes_itself spawn
}

@test "the calls from before it exec'ed itself are kept by state.dir" {
  manifest_of greet
  cp "$(target exec-anew)" "$BATS_TEST_TMPDIR/exec-anew"
  mkdir -m 0700 "$BATS_TEST_TMPDIR/state"
  start_metered CALLMETER_STATE_DIR="$BATS_TEST_TMPDIR/state" "$BATS_TEST_TMPDIR/exec-anew" path 7
  wait_done
  wait_until has_new_address
  assert_truth greet success=10
  release
}

@test "an interpreter that starts another script is no program that execs itself" {
  manifest_json '{"version": 1, "functions": [{"symbol": "no_such_function", "optional": true}]}'
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none sh -c 'sh -c "exec env"' 3>&-
  [[ $output != *libcallmeter* ]] || fail "$output"
}

@test "a shell that runs its script anew is itself with the same arguments, and with no others" {
  local next
  manifest_json '{"version": 1, "functions": [{"symbol": "no_such_function", "optional": true}]}'
  cat >"$BATS_TEST_TMPDIR/script" <<'END'
grep -q libcallmeter "/proc/$$/maps" && echo shim || echo bare
[ -n "$NEXT" ] || exit 0
next=$NEXT
unset NEXT
exec sh "$0" $next
END
  for next in 'one two' 'one' 'one two three' 'one three' 'two'; do
    run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none NEXT="$next" \
      sh "$BATS_TEST_TMPDIR/script" one two 3>&-
    assert_equal $'shim\n'"$([[ $next == 'one two' ]] && echo shim || echo bare)" "$output" "the images, of 'one two' and then '$next'"
  done
}

@test "a script that runs itself anew with its arguments stays instrumented" {
  command -v python3 >/dev/null || skip 'python3 is not installed'
  manifest_json '{"version": 1, "functions": [{"symbol": "no_such_function", "optional": true}]}'
  cat >"$BATS_TEST_TMPDIR/again.py" <<'END'
import os, sys
print("shim" if "libcallmeter.so" in open("/proc/self/maps").read() else "bare", flush=True)
if "AGAIN" not in os.environ:
    os.environ["AGAIN"] = "1"
    os.execv(sys.executable, [sys.executable] + sys.argv)
os.execv(sys.executable, [sys.executable, "-c", "print('shim' if 'libcallmeter.so' in open('/proc/self/maps').read() else 'bare')"])
END
  run env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=none \
    "$(python3 -c 'import sys; print(sys.executable)')" "$BATS_TEST_TMPDIR/again.py" 3>&-
  assert_equal $'shim\nshim\nbare' "$output" 'what the images were'
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

### sshd

is_listening() {
  grep -q 'Server listening' "$run_dir/err"
}

@test "sshd, which execs itself for each connection: it is metered, the session is not, and logging in works" {
  local folder=$BATS_TEST_TMPDIR/ssh port
  command -v ssh >/dev/null && [[ -x /usr/sbin/sshd ]] || skip 'sshd is not installed'
  # Started by root it gives up rights in this folder, which Debian makes when its service starts.
  [[ $EUID -ne 0 || -d /run/sshd ]] || mkdir /run/sshd
  mkdir -m 0700 "$folder"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/user"
  port=$(free_port)
  printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' "HostKey $folder/host" "AuthorizedKeysFile $folder/user.pub" \
    "PidFile $folder/pid" 'PermitRootLogin yes' 'StrictModes no' 'UsePAM no' >"$folder/conf"
  manifest_json '{"version": 1, "functions": [{"symbol": "EVP_DigestFinal_ex"}, {"symbol": "fork"}]}'
  start_metered /usr/sbin/sshd -D -e -f "$folder/conf"
  wait_until is_listening
  # shellcheck disable=SC2016 # for the other shell
  for _ in 1 2 3; do
    run ssh -q -p "$port" -i "$folder/user" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
      "$(id -un)@127.0.0.1" 'env | grep -E "LD_PRELOAD|CALLMETER_"; grep -q callmeter/control.so /proc/$PPID/maps && echo metered'
    assert_equal metered "$output" 'what the session says' || fail "$(cat "$run_dir/err")"
  done
}

### nginx

nginx_has_pid() {
  [[ -s $BATS_TEST_TMPDIR/nginx.pid && $(<"$BATS_TEST_TMPDIR/nginx.pid") != "${1:-}" ]]
}

# request N: as many answers of 200.
request() {
  local i
  for ((i = 0; i < $1; i++)); do
    curl -sS --fail --unix-socket "$BATS_TEST_TMPDIR/nginx.sock" http://nginx/ >/dev/null || return 1
  done
}

stop_nginx() {
  local file
  for file in "$BATS_TEST_TMPDIR"/nginx.pid*; do
    [[ -s $file ]] && kill -TERM "$(<"$file")" 2>/dev/null
  done
  return 0
}

teardown() {
  stop_nginx
  stop_all
}

@test "nginx's binary upgrade: the new binary is metered, and takes the address over when the old one leaves" {
  local old new
  command -v nginx >/dev/null || skip 'nginx is not installed'
  manifest_of ngx_http_process_request
  cat >"$BATS_TEST_TMPDIR/nginx.conf" <<END
daemon on; pid $BATS_TEST_TMPDIR/nginx.pid; error_log $BATS_TEST_TMPDIR/error.log; worker_processes 1;
events {}
http { access_log off; server { listen unix:$BATS_TEST_TMPDIR/nginx.sock; location / { return 200 ok; } } }
END
  address=127.0.0.1:$(free_port)
  start env LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN="$address" \
    "$(command -v nginx)" -c "$BATS_TEST_TMPDIR/nginx.conf"
  wait_until nginx_has_pid
  old=$(<"$BATS_TEST_TMPDIR/nginx.pid")
  request 5
  wait_until has_counted ngx_http_process_request 5
  kill -USR2 "$old"
  wait_until nginx_has_pid "$old"
  new=$(<"$BATS_TEST_TMPDIR/nginx.pid")
  assert_match 'callmeter/control.so' "$(cat "/proc/$new/maps")"
  kill -QUIT "$old"
  wait_until is_gone "$old"
  wait_until has_counted ngx_http_process_request 0
  request 11
  wait_until has_counted ngx_http_process_request 11
}

### Rights that are not the caller's

# As a machine has it whose /etc/ld.so.preload names the shim: in a copy of /etc that only these processes see.
# run_preloaded MODE: the program `set-id`, a file of root's with that mode, called by nobody.
run_preloaded() {
  # shellcheck disable=SC2016 # for the other shell
  unshare --mount --propagation private sh -ec '
    copy=$1/etc
    mkdir -p "$copy"
    mount -t tmpfs -o mode=755 tmpfs "$copy"
    cp -a /etc/. "$copy"
    mkdir -m 777 "$copy/run"
    cp -rL "$2" "$copy/preload"
    cp "$3" "$copy/set-id"
    cp "$4" "$copy/manifest.json"
    chmod -R a+rX "$copy/preload" "$copy/manifest.json"
    chmod "$5" "$copy/set-id"
    mount --bind "$copy" /etc
    run() {
      setpriv --reuid=65534 --regid=65534 --clear-groups env CALLMETER_MANIFEST=/etc/manifest.json \
        CALLMETER_LISTEN=127.0.0.1:0 CALLMETER_PORT_FILE=/etc/run/port CALLMETER_LOG=debug /etc/set-id
    }
    run >"$1/preloaded.bare"
    echo /etc/preload/libcallmeter.so >/etc/ld.so.preload
    run
    find /etc/run -type f -printf "left: %f\\n"
  ' sh "$BATS_TEST_TMPDIR" "$(dirname "$shim")" "$(target set-id)" "$manifest" "$1" \
    >"$BATS_TEST_TMPDIR/preloaded.out" 2>"$BATS_TEST_TMPDIR/preloaded.err" </dev/null 3>&-
}

@test "a set-id program under /etc/ld.so.preload is not touched" {
  ((EUID == 0)) || skip 'only root can mount, and give a program rights'
  unshare --mount --propagation private true 2>/dev/null || skip 'there are no mount namespaces here'
  local before after
  before=$(ls -l /etc/ld.so.preload 2>&1 || true)
  manifest_of work
  run_preloaded 755 || fail "$(cat "$BATS_TEST_TMPDIR/preloaded.err")"
  assert_lines 1 "$BATS_TEST_TMPDIR/preloaded.out" '^secure: 0$'
  assert_lines 1 "$BATS_TEST_TMPDIR/preloaded.out" '^patched: 1$'
  assert_lines 1 "$BATS_TEST_TMPDIR/preloaded.out" '^left: port$'
  run_preloaded 4755 || fail "$(cat "$BATS_TEST_TMPDIR/preloaded.err")"
  assert_lines 1 "$BATS_TEST_TMPDIR/preloaded.out" '^secure: 1$'
  assert_lines 1 "$BATS_TEST_TMPDIR/preloaded.out" '^preloaded: 1$'
  diff "$BATS_TEST_TMPDIR/preloaded.bare" <(sed 's/^preloaded: 1$/preloaded: 0/' "$BATS_TEST_TMPDIR/preloaded.out")
  assert_equal '' "$(cat "$BATS_TEST_TMPDIR/preloaded.err")" 'standard error'
  after=$(ls -l /etc/ld.so.preload 2>&1 || true)
  assert_equal "$before" "$after" 'the file of this machine'
}
