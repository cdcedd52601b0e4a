# Holds a scrape to truths, all in one pass: awk -f truths.awk TRUTHS SCRAPE. The lines of TRUTHS that begin with "truth"
# are "truth FUNCTION [OUTCOME=N]...": what is not named is 0; "*" stands for any number. Prints the first metric that is
# another, what was expected, and what there is, a line each; if there is none, the number of truths.

BEGIN {
  outcomes = split("success error throttled panic abandoned", outcome_at)
  timed = split("success error throttled", timed_at)
  for (i = 1; i <= outcomes; i++) known[outcome_at[i]]
  known["active"]
}

FNR == NR {
  if ($1 == "truth") read_truth()
  next
}

/^callmeter_calls_total\{/ { keep("calls_total", label("function"), label("outcome")) }
/^callmeter_calls_active\{/ { keep("calls_active", label("function"), "") }
/^callmeter_call_duration_seconds_count\{/ { keep("call_duration_seconds_count", label("function"), "") }

END {
  for (at = 1; at <= truths; at++) check(at)
  print truths + 0
}

# The function's name may have spaces: it is what stands before the outcomes.
function read_truth(    line, word, cut) {
  truths++
  line = $0
  sub(/^[ \t]*truth[ \t]+/, "", line)
  sub(/[ \t]+$/, "", line)
  while (match(line, /[ \t][a-z]+=[^ \t]+$/)) {
    word = substr(line, RSTART + 1)
    cut = index(word, "=")
    if (!(substr(word, 1, cut - 1) in known)) break
    if (!((truths, substr(word, 1, cut - 1)) in expected)) expected[truths, substr(word, 1, cut - 1)] = substr(word, cut + 1)
    line = substr(line, 1, RSTART - 1)
  }
  function_at[truths] = line
  spoken_of[line]
}

# As the scrape has it, with its escapes.
function label(name,    text) {
  if (!match($0, "[{,]" name "=\"([^\"\\\\]|\\\\.)*\"")) return ""
  text = substr($0, RSTART, RLENGTH - 1)
  return substr(text, index(text, "\"") + 1)
}

function keep(metric, of, outcome) {
  if (!(of in spoken_of)) return
  count[metric, of, outcome]++
  value[metric, of, outcome] = $NF ~ /^[0-9.]+e\+[0-9]+$/ ? sprintf("%.0f", $NF) : $NF
}

function expectation(at, outcome) {
  return (at, outcome) in expected ? expected[at, outcome] : "0"
}

function check(at,    i, sum) {
  for (i = 1; i <= outcomes; i++)
    if (expectation(at, outcome_at[i]) != "*") compare(at, "calls_total", outcome_at[i], expectation(at, outcome_at[i]))
  compare(at, "calls_active", "", expectation(at, "active"))
  for (i = 1; i <= timed; i++) {
    if (expectation(at, timed_at[i]) == "*") return
    sum += expectation(at, timed_at[i])
  }
  compare(at, "call_duration_seconds_count", "", sprintf("%.0f", sum))
}

function compare(at, metric, outcome, expected_value,    actual) {
  actual = count[metric, function_at[at], outcome] + 0
  actual = actual == 1 ? value[metric, function_at[at], outcome] : "(" actual " samples)"
  if (actual "" == expected_value "") return
  print metric " function=" function_at[at] (outcome == "" ? "" : " outcome=" outcome)
  print expected_value
  print actual
  exit 1
}
