# manifest.schema.json accepts and refuses the same documents as the parser, as far as a schema can say it.

bats_require_minimum_version 1.5.0

load lib/helper

corpus=$root/tests/manifests
beyond=$corpus/beyond_schema.txt

setup() {
  python3 -c 'import jsonschema' 2>/dev/null || skip 'python3-jsonschema is not installed'
  schema=$BATS_TEST_TMPDIR/schema.json
  "$callmeter" schema >"$schema"
}

# verdicts FILE...: one line each, of what the schema says.
verdicts() {
  python3 "$root/tests/lib/schema.py" "$schema" "$@"
}

# Names of the documents that a schema cannot refuse.
names_beyond() {
  sed -n 's/^\([a-z0-9_]*\): .*/\1.json/p' "$beyond" | sort
}

@test "callmeter schema prints the schema that is shipped, and takes no argument" {
  cmp "$root/symbols/manifest.schema.json" "$schema"
  run -64 "$callmeter" schema something
  run -70 bash -c '"$1" schema >/dev/full' bash "$callmeter"
}

@test "callmeter schema works in an installed tree that was moved" {
  local tree=$BATS_TEST_TMPDIR/tree moved=$BATS_TEST_TMPDIR/moved
  DESTDIR=$tree meson install -C "$build" --no-rebuild --quiet >/dev/null
  mv "$tree" "$moved"
  "$(find "$moved" -path '*/bin/callmeter')" schema | cmp "$root/symbols/manifest.schema.json"
}

@test "the schema accepts the good manifests" {
  assert_equal '' "$(verdicts "$corpus"/good/*.json | grep -v ^accepted)" 'good manifests that are refused'
}

@test "the schema accepts the presets" {
  assert_equal '' "$(verdicts "$root"/symbols/presets/*.json | grep -v ^accepted)" 'presets that are refused'
}

@test "the schema refuses the bad manifests, but for those that are listed with the reason" {
  diff <(names_beyond) <(verdicts "$corpus"/bad/*.json | sed -n 's/^accepted //p' | sort) ||
    fail 'on the left: listed; on the right: accepted'
}

@test "each bad manifest that a schema cannot refuse has a reason" {
  assert_equal '' "$(grep -vE '^#|^[a-z0-9_]+: .{10,}$' "$beyond")" 'lines of another form'
  assert_equal '' "$(names_beyond | uniq -d)" 'names listed twice'
}

@test "the schema knows the keys that the parser knows" {
  local key keys
  mapfile -t keys < <(keys_of_parser)
  ((${#keys[@]} > 40)) || fail "only ${#keys[@]} keys were found in the parser"
  for key in "${keys[@]}"; do
    grep -q "\"$key\":" "$schema" || fail "the schema does not have the key $key"
  done
}
