package groups

// What a pod's condition and events say.
const (
	textNoSize     = "group %s has no size: set the annotation %s on its pods"
	textBadSize    = "%s is %q: write a whole number from 1"
	textNoJob      = "the annotation spillway.dev/group makes one group of a Job's pods, and this pod has no Job: write it as a label, with the group's name"
	textUnknown    = "the size of group %s is not known yet"
	textUnreadable = "the size of group %s cannot be read: %v"
	textIncomplete = "group %s has %d of %d pods"
	textPlacing    = "group %s is being placed; this pod, which is more than its size, follows it"
	textBefore     = "group %s goes first; this pod, which is more than its size, follows it"
	textTakingBack = "group %s is being taken back: %s"
	textTakenBack  = "group %s is taken back: %s"
	textLate       = "group %s: only %d of %d pods came within %s"
	textOthersLate = "group %s: only %d of %d delegates were scheduled in time"
	textNoSeat     = "group %s has no seat for this pod"
	textGaveUp     = "pod %s gave up"
)
