# Of a scrape in which no call is in progress: each function's calls have ended as often as they have begun, and what is
# counted beside the outcome is counted as often. Prints what does not fit, a line each.
#   awk -v functions='NAME...' [-v left=1] -f whole_calls.awk SCRAPE

function label(name) {
  return match($0, "[{,]" name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
}

function add(metric) {
  if ($NF + 0 > 1e15) print "below zero: " $0
  sum[label("function"), metric] += $NF
}

/^callmeter_calls_total\{/ { add(label("outcome")) }
/^callmeter_calls_active\{/ { add("active") }
/^callmeter_call_duration_seconds_count\{/ { add("timed") }
/^callmeter_calls_abandoned_total\{/ { add(label("reason") ~ /^(longjmp|thread_exit)$/ ? "by reasons" : "unexplained") }
/^callmeter_call_errors_total\{/ { add("errors"); has_errors[label("function")] }
/^callmeter_(call_duration|loop_interval)_seconds_sum/ && $NF + 0 > 1e8 { print "below zero: " $0 }
/^callmeter_items_total\{/ { add("items"); has_items[label("function")] }

function expect(of, what, expected) {
  if (sum[of, what] + 0 != expected) print of ": " what " " sum[of, what] + 0 ", not " expected
}

END {
  count = split(functions, function_at)
  for (i = 1; i <= count; i++) {
    of = function_at[i]
    ended = sum[of, "success"] + sum[of, "error"] + sum[of, "throttled"]
    expect(of, "active", 0)
    if (!left) expect(of, "abandoned", 0)
    expect(of, "by reasons", sum[of, "abandoned"])
    expect(of, "unexplained", 0)
    if (!sampled) expect(of, "timed", ended)
    if (of in has_errors) expect(of, "errors", sum[of, "error"])
    if (of in has_items) expect(of, "items", 7 * (is_item_of_success ? sum[of, "success"] : ended))
    if (ended + sum[of, "abandoned"] == 0) print of ": no call"
  }
}
