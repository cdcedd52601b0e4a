# What the documentation shows is what the program takes.

bats_require_minimum_version 1.5.0

load lib/helper

# examples: sets `files`, the manifests in README.md and docs/.
examples() {
  mkdir -p "$BATS_TEST_TMPDIR/examples"
  python3 "$root/tests/lib/examples.py" "$BATS_TEST_TMPDIR/examples" "$root/README.md" "$root"/docs/*.md \
    >"$BATS_TEST_TMPDIR/list"
  mapfile -t files <"$BATS_TEST_TMPDIR/list"
  ((${#files[@]}))
}

@test "every JSON example is found" {
  examples
  assert_equal "$(cat "$root/README.md" "$root"/docs/*.md | grep -c '^ *```json')" "${#files[@]}" 'examples'
}

@test "every JSON example in the documentation is a manifest, or a part of one, that the parser accepts" {
  local file bad=0
  examples
  for file in "${files[@]}"; do
    run --separate-stderr "$callmeter" check -m "$file" "$(target greeter)"
    ((status <= 1)) && continue
    printf 'status %s: %s\n' "$status" "$stderr" >&2
    bad=$((bad + 1))
  done
  assert_equal 0 "$bad" 'examples that are refused'
}

@test "the schema accepts every JSON example in the documentation" {
  python3 -c 'import jsonschema' 2>/dev/null || skip 'python3-jsonschema is not installed'
  examples
  assert_equal '' "$(python3 "$root/tests/lib/schema.py" "$root/symbols/manifest.schema.json" "${files[@]}" | grep -v ^accepted)" \
    'examples that are refused'
}

@test "an example that is no manifest, no JSON, or not marked as JSON is found out" {
  local text
  mkdir -p "$BATS_TEST_TMPDIR/out"
  for text in $'```json\n{"version": 1,}\n```' $'```\n{"symbol": "f"}\n```' $'```json\n{"symbol": "f"}' $'```json\n3\n```'; do
    printf '%s\n' "$text" >"$BATS_TEST_TMPDIR/wrong.md"
    run ! python3 "$root/tests/lib/examples.py" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/wrong.md"
  done
  printf '```json\n{"symbol": "f", "kidn": "loop"}\n```\n' >"$BATS_TEST_TMPDIR/wrong.md"
  run -0 python3 "$root/tests/lib/examples.py" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/wrong.md"
  run -78 "$callmeter" check -m "$output" "$(target greeter)"
}

@test "the manifest's documentation speaks of each key that the parser knows" {
  local key keys
  mapfile -t keys < <(keys_of_parser)
  ((${#keys[@]} > 40)) || fail "only ${#keys[@]} keys were found in the parser"
  for key in "${keys[@]}"; do
    grep -q "\`$key\`\|\"$key\"" "$root/docs/manifest.md" || fail "docs/manifest.md does not speak of $key"
  done
}

@test "the metrics' documentation has each metric, and no other" {
  local name names
  mapfile -t names < <(sed -nE 's/.*\] = \{"([a-z_]+)", .*/\1/p' "$root/server/formats/metrics.c")
  ((${#names[@]} > 20)) || fail "only ${#names[@]} metrics were found in metrics.c"
  for name in "${names[@]}"; do
    grep -q "^|.*\`$name\`.*|.*|" "$root/docs/running.md" || fail "docs/running.md does not have $name"
  done
  while read -r name; do
    grep -q "{\"$name\"," "$root/server/formats/metrics.c" || fail "there is no $name"
  done < <(grep -oE '^\| `[a-z_]+`(, `[a-z_]+`)? \| (counter|gauge|histogram)' "$root/docs/running.md" | grep -oE '`[a-z_]+`' | tr -d '`')
}

@test "promtool accepts the alerting rules in the documentation" {
  local number=0 page
  command -v promtool >/dev/null || skip 'promtool is not installed'
  for page in "$root"/docs/*.md; do
    awk -v to="$BATS_TEST_TMPDIR/$(basename "$page")" '/^```yaml/ { file = to "." ++n ".yml"; next } /^```/ { file = "" } file { print > file }' "$page"
  done
  for page in "$BATS_TEST_TMPDIR"/*.yml; do
    grep -q '^groups:' "$page" || continue
    promtool check rules "$page" || fail "in $page"
    number=$((number + 1))
  done
  ((number > 0)) || fail 'no rules were found'
}
