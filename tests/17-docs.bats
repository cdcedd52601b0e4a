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
  local name names count=0
  mapfile -t names < <(sed -nE 's/.*\] = \{"([a-z_]+)", .*/\1/p' "$root/server/formats/metrics.c")
  ((${#names[@]} > 20)) || fail "only ${#names[@]} metrics were found in metrics.c"
  for name in "${names[@]}"; do
    grep -q "^|.*\`$name\`.*|.*|" "$root/docs/running.md" || fail "docs/running.md does not have $name"
  done
  while read -r name; do
    count=$((count + 1))
    grep -q "{\"$name\"," "$root/server/formats/metrics.c" || fail "there is no $name"
  done < <(grep -oE '^\| `[a-z_]+`(, `[a-z_]+`)? \| (counter|gauge|histogram)' "$root/docs/running.md" | grep -oE '`[a-z_]+`' | tr -d '`')
  ((count > 20)) || fail "only $count metrics were found in running.md"
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

@test "the gdb session in CONTRIBUTING.md shows the stub, the hook, the backtrace and the record" {
  command -v gdb >/dev/null || skip 'gdb is not installed'
  cd "$BATS_TEST_TMPDIR"
  ln -s "$build" build
  manifest_of greet nap
  sed -n '/^```gdb$/,/^```$/{/^```/!p}' "$root/CONTRIBUTING.md" >session
  [[ -s session ]] || fail 'there is no session'
  CALLMETER_LISTEN=none run -0 gdb -q -nx -batch -x session "$(target greeter)"
  assert_match 'nap>:[[:space:]]+jmp' "$output"
  assert_match 'push[[:space:]]+%rbx' "$output"
  assert_match '\$1 = \(void \*\) 0x' "$output"
  assert_match '#1 .*nap \(.*#2 .*hot_entry_tsc.*#3 .*main \(' "${output//$'\n'/ }"
  assert_match 'return_address = 0x[0-9a-f]+ <main\+' "$output"
}

# Placeholders are in capitals; what the build makes is not looked for.
@test "each path of the project that a document names is there" {
  local path count=0
  while read -r path; do
    count=$((count + 1))
    compgen -G "$root/$path" >/dev/null || fail "there is no $path, which is named in:" "$(grep -lF -- "$path" "$root"/*.md "$root"/docs/*.md)"
  done < <(grep -rohE '\b(preload|symbols|server|tests|scripts|docs)/[A-Za-z0-9_/.*-]*[A-Za-z0-9_*/]' "$root"/*.md "$root"/docs/*.md |
    grep -v '[A-Z]' | grep -v '^preload/libcallmeter.so$' | sort -u)
  ((count > 50)) || fail "only $count paths were found"
}

@test "architecture.md names functions that are where it says, and answers at least 20 questions with paths" {
  local path names name steps=0 questions
  while IFS='|' read -r _ _ path names _; do
    path=${path//[ \`]/}
    for name in ${names//[\`,]/ }; do
      steps=$((steps + 1))
      grep -qE "\b$name\b" "$root/$path" || fail "$path has no $name"
    done
  done < <(grep -E '^\|[^|]*\| `[^`|]*` \| `[a-z]' "$root/docs/architecture.md")
  ((steps > 40)) || fail "only $steps steps were found"
  questions=$(sed '1,/^## Where would you look/d' "$root/docs/architecture.md" | grep -oE '^\|[^|]*\| `[^`]*` \|$' | grep -oE '`[^`]*` \|$' | tr -d '\`| ')
  (($(wc -l <<<"$questions") >= 20)) || fail 'fewer than 20 questions'
  for path in $questions; do
    [[ -e $root/$path ]] || fail "there is no $path"
  done
}
