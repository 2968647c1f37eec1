package events

// reasonScheduled is left out: that a delegate has a node is known before its source pod is bound, and each pod would cost
// a write more for it.
const reasonScheduled = "Scheduled"
