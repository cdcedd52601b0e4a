# shellcheck shell=bash
# Runs jobs side by side: each in a process group of its own, with its output kept in a file until it has ended.

jobs_folder=''
# By the id of the job's first process, which is that of its group.
declare -A job_names=() job_starts=()
# "SECONDS NAME" of each job that has ended.
job_times=()

# jobs_begin FOLDER: where the jobs' files are to lie. Who calls it calls jobs_end when the script ends, however it does.
jobs_begin() {
  jobs_folder=$1
}

# Ends the jobs that are still there, with all that they started.
jobs_end() {
  local group
  for group in "${!job_names[@]}"; do kill -TERM -- "-$group" 2>/dev/null; done
  for group in "${!job_names[@]}"; do
    timeout 5 tail --pid="$group" -f /dev/null
    kill -KILL -- "-$group" 2>/dev/null
  done
}

# job_start NAME COMMAND...: COMMAND, a function perhaps, in the background. Its output goes to the file NAME.log.
job_start() {
  local name=$1
  shift
  # Monitor mode gives the job its group.
  set -m
  "$@" >"$jobs_folder/$name.log" 2>&1 </dev/null &
  set +m
  job_names[$!]=$name
  job_starts[$!]=${EPOCHREALTIME/./}
}

# job_wait REPORT: waits for one of the jobs, and calls REPORT NAME STATUS SECONDS.
job_wait() {
  local group='' status=0 name seconds
  wait -n -p group "${!job_names[@]}" 2>/dev/null || status=$?
  if [[ -z ${group:-} ]]; then
    # `wait -n` knows nothing of jobs that a signal has ended.
    for group in "${!job_names[@]}"; do break; done
    status=0
    wait "$group" || status=$?
  fi
  # A process that the job left behind is nobody's any more.
  kill -KILL -- "-$group" 2>/dev/null
  name=${job_names[$group]}
  printf -v seconds '%d.%d' "$(((${EPOCHREALTIME/./} - job_starts[$group]) / 1000000))" \
    "$(((${EPOCHREALTIME/./} - job_starts[$group]) / 100000 % 10))"
  job_times+=("$seconds $name")
  unset "job_names[$group]" "job_starts[$group]"
  "$1" "$name" "$status" "$seconds"
}

# jobs_run AT_ONCE RUN REPORT NAME...: RUN NAME for each in this order, at most AT_ONCE at a time.
jobs_run() {
  local at_once=$1 run=$2 report=$3 name
  shift 3
  for name; do
    ((${#job_names[@]} < at_once)) || job_wait "$report"
    job_start "$name" "$run" "$name"
  done
  while ((${#job_names[@]})); do job_wait "$report"; done
}

# jobs_slowest N: the times of the slowest jobs.
jobs_slowest() {
  printf '%s\n' "${job_times[@]}" | sort -rn | head -n "$1" | while read -r seconds name; do
    printf '%7s s  %s\n' "$seconds" "$name"
  done
}
