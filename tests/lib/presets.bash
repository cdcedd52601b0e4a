# shellcheck shell=bash
# For tests of the shipped manifests on the programs of Debian. Loaded after helper.

require_program() {
  local each
  for each; do
    command -v "$each" >/dev/null || skip "$each is not installed"
  done
}

# start_with ARGUMENT...: `callmeter run` with these arguments; waits for the endpoint.
start_with() {
  start env CALLMETER_PORT_FILE="$BATS_TEST_TMPDIR/run.$((run_number + 1))/port" "$callmeter" run -l 127.0.0.1:0 "$@"
  wait_for_address
}

# tell LINE...: to the standard input of the program started last.
tell() {
  printf '%s\n' "$@" >&"$input_fd"
}

# Finished calls of a function, of whatever outcome and labels.
total_of() {
  sum_of calls_total "function=$1" "${@:2}"
}

# assert_total EXPECTED FUNCTION [LABEL=VALUE]...
assert_total() {
  local expected=$1 actual
  shift
  actual=$(total_of "$@")
  [[ $actual == "$expected" ]] && return 0
  fail "finished calls of $*:" "  expected: $expected" "  actual:   $actual" \
    "$(grep -E '_calls_total' "$run_dir/metrics" | grep -vE ' 0$' | head -60)" "$(cat "$run_dir/err")"
}

# has_total N FUNCTION [LABEL=VALUE]...: for wait_until; scrapes.
has_total() {
  scrape && [[ $(total_of "${@:2}") == "$1" ]]
}

# wait_total N FUNCTION [LABEL=VALUE]...: until so many calls have finished; says what there is if they do not.
wait_total() {
  wait_until has_total "$@" || assert_total "$@"
}

# No function was refused or is missing, but for optional ones; and nothing was worth a warning.
assert_all_tracked() {
  assert_metric 0 manifest_functions state=refused
  assert_lines 0 "$run_dir/err" '^callmeter'
}

# start_nginx ARGUMENT...: two workers on the Unix sockets $site (HTTP), $secure (TLS) and $backend, which the site has
# upstream. Logs a line for each request, "SERVER STATUS CACHE CONNECTION", in $access.
start_nginx() {
  local folder=$BATS_TEST_TMPDIR/nginx
  require_program nginx curl openssl
  mkdir -p "$folder/www"
  chmod 755 "$BATS_TEST_TMPDIR" "$folder"
  echo hello >"$folder/www/index.html"
  seq 20000 >"$folder/www/numbers.html"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$folder/key.pem" \
    -out "$folder/cert.pem" 2>/dev/null
  site=$folder/site.sock secure=$folder/secure.sock backend=$folder/backend.sock access=$folder/access
  write_nginx_configuration "$folder" >"$folder/nginx.conf"
  start_with "$@" -- nginx -p "$folder" -c "$folder/nginx.conf" -e "$folder/error" -g 'daemon off;'
  wait_until fetch "$site" http://localhost/status
}

# Its workers would outlive a master that was killed.
stop_nginx() {
  local master
  { read -r master <"$BATS_TEST_TMPDIR/nginx/pid"; } 2>/dev/null || return 0
  kill -TERM "$master" && wait_until is_gone "$master"
}

# Peers that nobody listens at: an upstream that fails.
write_nginx_configuration() {
  local user=''
  ((EUID == 0)) && user="user $(stat -c %U "$BATS_TEST_TMPDIR");"
  cat <<END
$user
worker_processes 2;
pid $1/pid;
error_log $1/error info;
events { worker_connections 64; }
http {
  log_format short '\$server_name \$status \$upstream_cache_status \$connection';
  access_log $access short;
  client_body_temp_path $1/body;
  proxy_temp_path $1/proxy;
  fastcgi_temp_path $1/fastcgi;
  uwsgi_temp_path $1/uwsgi;
  scgi_temp_path $1/scgi;
  proxy_cache_path $1/cache keys_zone=pages:1m;
  gzip on;
  root $1/www;
  server {
    listen unix:$site;
    server_name site;
    location /up/ { proxy_pass http://unix:$backend:/; }
    location /cached/ { proxy_pass http://unix:$backend:/; proxy_cache pages; proxy_cache_valid 1h; }
    location /down/ { proxy_pass http://unix:$1/nobody.sock:/; }
    location /status { stub_status; access_log off; }
  }
  server {
    listen unix:$backend;
    server_name backend;
  }
  server {
    listen unix:$secure ssl http2;
    server_name secure;
    ssl_certificate $1/cert.pem;
    ssl_certificate_key $1/key.pem;
  }
}
END
}

# fetch SOCKET ARGUMENT...: by curl; the body goes nowhere.
fetch() {
  curl -s -k --max-time 10 -o /dev/null --unix-socket "$@"
}

# Lines of nginx's access log that match.
logged() {
  grep -cE -- "$1" "$access" || true
}

# start_postgres [VARIABLE=VALUE]...: a server of its own on a Unix socket in $postgres, which logs every statement. Not
# root's: so by the user that Debian has for it.
start_postgres() {
  local bin
  bin=$(find /usr/lib/postgresql/*/bin/initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
  [[ -n $bin ]] || skip 'postgresql is not installed'
  ((EUID == 0)) || skip 'the server of postgresql needs a user of its own, and so root to start it'
  postgres=$(mktemp -d "$BATS_TMPDIR/postgres.XXXXXX")
  chown postgres "$postgres"
  as_postgres "$bin/initdb" -D "$postgres/data" -A trust -U postgres --no-sync >"$BATS_TEST_TMPDIR/initdb"
  start env "$@" setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$postgres/data" -k "$postgres" \
    -c listen_addresses= -c log_statement=all -F
  postgres_pid=$pid postgres_log=$run_dir/err
  psql=$bin/psql
  wait_until "$psql" -h "$postgres" -U postgres -X -q -c 'select 0' -o /dev/null
}

as_postgres() {
  (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@" 3>&-)
}

stop_postgres() {
  [[ -n ${postgres:-} ]] || return 0
  kill -INT "$postgres_pid" && wait_until is_gone "$postgres_pid"
  rm -rf "$postgres"
}
