# Signal handlers that make tracked calls while tracked calls are in progress.

load lib/helper

@test "a timer of 50 us whose handler makes tracked calls" {
  meter_victim signals main
}

@test "a handler that interrupts itself" {
  meter_victim signals nested
}

@test "a handler on an alternate stack" {
  meter_victim signals alternate-stack
}

@test "a handler among four threads" {
  meter_victim signals threads
}

@test "a handler that may make the first call of a thread" {
  meter_victim signals fresh-threads
}

@test "a program that stands in for sigaction itself, and calls libc's inner name" {
  meter_victim wraps-sigaction
}

@test "signals of faults that are ignored: what is pending is lost, and no read is interrupted" {
  meter_victim signals-ignored lose-pending
  meter_victim signals-ignored read-on
}
