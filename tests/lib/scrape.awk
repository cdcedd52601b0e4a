# What tests/lib/helper.bash asks of a scrape, on standard input. What it looks for is in the environment, since awk would
# read backslashes in -v: NAME, of the metric with its namespace, and WANTED, a line `LABEL="VALUE"` for each label.
# ask=one: the value of the one sample that there is. ask=sum: of all values; 0 if there is none.

BEGIN {
  name = ENVIRON["NAME"]
  wanted = split(ENVIRON["WANTED"], want, "\n")
}

index($0, name) == 1 && substr($0, length(name) + 1, 1) ~ /[{ ]/ {
  line = $0
  sub(/^[^{ ]*\{/, ",", line)
  for (i = 1; i <= wanted; i++) if (!index(line, "," want[i])) next
  count++
  value = plain($NF)
  sum += $NF
}

END {
  if (ask == "sum") printf "%d", sum
  else print count == 1 ? value : "(" count + 0 " samples)"
}

function plain(number) {
  return number ~ /^[0-9.]+e\+[0-9]+$/ ? sprintf("%.0f", number) : number
}
