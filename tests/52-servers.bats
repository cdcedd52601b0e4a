# Servers of Debian that fork a process for each connection, or some beforehand: what all of them did is in one endpoint,
# and is what their logs say.

load lib/helper
load lib/presets

setup() {
  folder=''
}

teardown() {
  stop_prefork_nginx
  stop_postgres
  stop_all
  [[ -z $folder ]] || rm -rf "$folder"
}

### nginx

# start_prefork_nginx: a daemon with a master and two workers, which are not root's if the master is. Its requests are in
# $access, its socket is $site.
start_prefork_nginx() {
  local user=''
  require_program nginx curl
  folder=$(mktemp -d "${BATS_TMPDIR:-/tmp}/prefork.XXXXXX")
  chmod 755 "$folder"
  mkdir "$folder/www"
  echo hello >"$folder/www/index.html"
  site=$folder/site.sock access=$folder/access
  ((EUID == 0)) && user='user nobody nogroup;'
  cat >"$folder/nginx.conf" <<CONF
$user
worker_processes 2;
pid $folder/pid;
error_log $folder/error notice;
events { worker_connections 64; }
http {
  access_log $access;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  root $folder/www;
  server { listen unix:$site; }
}
CONF
  manifest_json '{"version": 1, "executables": ["nginx"], "functions": [
    {"symbol": "ngx_http_process_request"}, {"symbol": "ngx_process_events_and_timers", "kind": "loop"},
    {"symbol": "ngx_worker_process_exit"}]}'
  start_metered nginx -p "$folder" -c "$folder/nginx.conf" -e "$folder/error"
  wait_until test -s "$folder/pid"
  wait_until is_gone "$pid"
  read -r master <"$folder/pid"
  wait_until has_new_workers
}

stop_prefork_nginx() {
  local last
  [[ -n $folder ]] && { read -r last <"$folder/pid"; } 2>/dev/null || return 0
  kill -TERM "$last" && wait_until is_gone "$last"
}

# Process ids of the master's workers.
workers() {
  awk -v parent="$master" '{ sub(/.*\) /, "") } $2 == parent && $1 != "Z" { split(FILENAME, path, "/"); print path[3] }' \
    /proc/[0-9]*/stat 2>/dev/null
}

# has_new_workers OLD...: two are there, and none of these.
has_new_workers() {
  local now each
  now=$(workers)
  [[ $(wc -l <<<"$now") == 2 ]] || return 1
  for each; do
    ! grep -qx "$each" <<<"$now" || return 1
  done
}

# request N: one after the other, each on a connection of its own.
request() {
  local i
  for ((i = 0; i < $1; i++)); do
    fetch "$site" http://localhost/ || return 1
  done
}

# In the background, until $folder/enough is there. Some meet a worker that is killed.
keep_requesting() {
  while [[ ! -e $folder/enough ]]; do
    fetch "$site" http://localhost/ || true
  done
}

@test "nginx, a daemon with two workers: requests are the lines of its log, through reloads and a killed worker" {
  local old load killed first_address
  start_prefork_nginx
  first_address=$address
  request 20
  wait_total 20 ngx_http_process_request
  assert_metric 3 processes
  if ((EUID == 0)); then
    for worker in $(workers); do
      assert_equal nobody "$(stat -c %U "/proc/$worker")" 'user of a worker'
    done
  fi

  mapfile -t old < <(workers)
  kill -HUP "$master"
  wait_until has_new_workers "${old[@]}"
  request 20
  wait_total 40 ngx_http_process_request
  assert_metric 3 processes

  # The kernel has no request for a worker at the moment when it is killed.
  killed=$(workers | head -n 1)
  kill -KILL "$killed"
  wait_until has_new_workers "$killed"
  request 20
  wait_total "$(logged .)" ngx_http_process_request outcome=success
  assert_total 60 ngx_http_process_request
  assert_metric 3 processes
  assert_equal "$first_address" "$(<"$port_file")" 'address'
  # What a killed worker waited in, and no more, has ended with it.
  assert_metric 1 calls_abandoned_total function=ngx_process_events_and_timers reason=process_death
  assert_metric 2 calls_active function=ngx_process_events_and_timers
}

@test "nginx: a worker that is killed at work takes one request with it at most" {
  local old load worker i counted
  start_prefork_nginx
  keep_requesting &
  load=$!
  for i in 1 2 3 4 5; do
    old=$(logged .)
    wait_until has_logged_more_than $((old + 20))
    worker=$(workers | head -n 1)
    kill -KILL "$worker"
    wait_until has_new_workers "$worker"
    ((i != 3)) || kill -HUP "$master"
  done
  touch "$folder/enough"
  wait "$load"
  wait_until has_none_active ngx_http_process_request
  counted=$(total_of ngx_http_process_request)
  ((counted >= $(logged .) && counted <= $(logged .) + 5)) ||
    fail "requests counted: $counted, logged: $(logged .), and 5 workers were killed"
}

has_logged_more_than() {
  (($(logged .) > $1))
}

# has_none_active FUNCTION: for wait_until; scrapes.
has_none_active() {
  scrape && [[ $(metric calls_active "function=$1") == 0 ]]
}

### PostgreSQL

# query [DATABASE]: the standard input, by psql; errors are the statements' own.
query() {
  "$psql" -h "$postgres" -U postgres -X -q -o /dev/null "$@" 2>/dev/null
}

@test "postgres: the statements of all its processes are those of its log, and transactions those of pgbench" {
  local statements connections transactions
  start_metered_postgres
  as_postgres "$bin/pgbench" -h "$postgres" -i -q postgres >"$run_dir/pgbench-init" 2>&1
  as_postgres "$bin/pgbench" -h "$postgres" -n -c 8 -j 2 -t 25 postgres >"$run_dir/pgbench" 2>&1
  transactions=$(sed -n 's,^number of transactions actually processed: \([0-9]*\)/.*,\1,p' "$run_dir/pgbench")
  assert_equal 200 "$transactions" 'transactions of pgbench'
  for _ in 1 2 3; do
    query <<<'select 1/x from generate_series(0, 1) x;'
  done
  wait_until has_none_active PortalRun
  wait_until has_backends_ended
  statements=$(grep -c 'LOG:  statement:' "$postgres_log")
  connections=$(metric calls_total function=PostgresMain outcome=abandoned)
  assert_equal "$transactions" "$(grep -c 'LOG:  statement: END;' "$postgres_log")" 'transactions in the log'
  # Each ends one, but those that fail.
  assert_metric "$((statements - 3))" calls_total function=EndCommand outcome=success
  # And then says that it is ready, as it does at the start of a connection and after an error.
  assert_metric "$((statements + connections))" calls_total function=ReadyForQuery outcome=success
  assert_metric 3 calls_abandoned_total function=PortalRun reason=longjmp
  assert_metric "$connections" calls_abandoned_total function=PostgresMain reason=process_exit
}

# In $folder, where it may write, the server notes its address.
start_metered_postgres() {
  folder=$(mktemp -d "${BATS_TMPDIR:-/tmp}/metered.XXXXXX")
  chmod 777 "$folder"
  bin=$(find /usr/lib/postgresql/*/bin/pgbench -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
  [[ -n $bin ]] || skip 'postgresql is not installed'
  manifest=$folder/manifest.json
  cat >"$manifest" <<'MANIFEST'
{"version": 1, "executables": ["postgres"], "functions": [
  {"symbol": "PostgresMain"}, {"symbol": "PortalRun"}, {"symbol": "EndCommand"}, {"symbol": "ReadyForQuery"}]}
MANIFEST
  as_postgres test -r "$shim" || skip 'the user of postgresql may not read the build folder'
  start_postgres LD_PRELOAD="$shim" CALLMETER_MANIFEST="$manifest" CALLMETER_LISTEN=127.0.0.1:0 \
    CALLMETER_PORT_FILE="$folder/port"
  port_file=$folder/port
  wait_for_address
}

has_backends_ended() {
  scrape && [[ $(metric calls_active function=PostgresMain) == 0 ]]
}
