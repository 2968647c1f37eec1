package mirror

// What the mirror says of a source pod.
const (
	messageLost = "target %s deleted the delegate of this pod, or lost it; nobody here asked for that. Its controller makes a new pod; " +
		"a pod without one has to be created again"
	actionMirror       = "Mirroring"
	reasonFollowFailed = "FollowFailed"
)
