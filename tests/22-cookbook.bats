# Each recipe of docs/cookbook.md: its manifest as it stands there, on a service with that function.

load lib/helper
load lib/samples

cookbook=$root/docs/cookbook.md

# block_of HEADING LANGUAGE: the fenced block of that language below the heading.
block_of() {
  HEADING="## $1" FENCE='```'$2 awk '
    /^## / { is_here = $0 == ENVIRON["HEADING"] }
    /^```/ { if (is_inside) exit; is_inside = is_here && $0 == ENVIRON["FENCE"]; next }
    is_inside' "$cookbook"
}

# The expressions are PromQL, and each series that they select is in the scrape.
check_queries() {
  local queries=$BATS_TEST_TMPDIR/queries
  block_of "$1" promql >"$queries"
  [[ -s $queries ]] || fail "no queries under: $1"
  python3 "$root/tests/lib/label_selectors.py" "$run_dir/metrics" <"$queries" || return 1
  command -v promtool >/dev/null || return 0
  jq -R '{expr: .}' "$queries" | jq -s '{groups: [{name: "cookbook", rules: [to_entries[] | .value + {record: "r\(.key):r"}]}]}' \
    >"$BATS_TEST_TMPDIR/rules.yml"
  promtool check rules "$BATS_TEST_TMPDIR/rules.yml" || fail "in the queries of: $1"
}

# recipe HEADING MODE: what the service did is what the scrape says.
recipe() {
  manifest=$BATS_TEST_TMPDIR/manifest.json
  block_of "$1" json >"$manifest"
  [[ -s $manifest ]] || fail "no manifest under: $1"
  meter_samples cookbook-service "$2" && check_queries "$1"
}

@test "a loop in a long-running service" {
  recipe 'A loop in a long-running service' loop
}

@test "a worker with batches" {
  recipe 'A worker with batches' worker
}

@test "a dependency call" {
  recipe 'A dependency call' dependency
}

@test "a query" {
  recipe 'A query' query
}

@test "a transaction" {
  recipe 'A transaction' transaction
}

@test "a resource pool" {
  recipe 'A resource pool' resource
}

@test "a health check" {
  recipe 'A health check' health
}

@test "a message processor" {
  recipe 'A message processor' message
}

@test "a batch job" {
  recipe 'A batch job' job
}

@test "an upstream call" {
  recipe 'An upstream call' upstream
}

@test "an HTTP handler" {
  recipe 'An HTTP handler' handler
}

@test "rate limiting, seen as throttled" {
  recipe 'Rate limiting' limiter
}

@test "every recipe of the cookbook is run, and declares a function of the service" {
  local prototype count=0
  diff <(sed -n 's/^## //p' "$cookbook" | sort) \
    <(sed -n "s/^  recipe '\(.*\)' [a-z]*$/\1/p" "$BATS_TEST_FILENAME" | sort)
  while read -r prototype; do
    count=$((count + 1))
    grep -qF -- "TRACKED ${prototype%;}" "$root/tests/targets/cookbook-service.c" || fail "the service has no: $prototype"
  done < <(awk '/^```c$/ { is_inside = 1; next } /^```/ { is_inside = 0 } is_inside && /^[a-z].*\);$/' "$cookbook")
  ((count > 10)) || fail "only $count functions were found"
}
