package mirror

// What the mirror says of a source pod.
const (
	messageLost = "target %s deleted the delegate of this pod, or lost it; nobody here asked for that. Its controller makes a new pod; " +
		"a pod without one has to be created again"
	messageUnseen        = "the delegate in target %s was gone before it was seen how it ended"
	messageChangeRefused = "target %s refused a change of this pod's %s, which is tried again: %v"
	messageRightMissing  = "target %s refused a change of this pod's %s, which is tried again: %v. To allow it, apply deploy/target-rbac there"
	messageStray         = "not sent to target %s: nobody has elected this pod and scheduled it there. Its spec.nodeName was written by hand: " +
		"leave it out, and annotate the pod spillway.dev/elect; or its DaemonSet tolerates every taint: keep it off nodes labelled type=virtual-kubelet"
	messageNotSent = "not sent to target %s: %s"

	actionMirror        = "Mirroring"
	reasonFollowFailed  = "FollowFailed"
	reasonNotElected    = "NotElected"
	reasonChangeRefused = "ChangeRefused"
)

// partOf a pod is what a subresource changes, in words.
var partOf = map[string]string{
	changePod: "metadata or spec", changeResize: "resources", changeEphemeral: "ephemeral containers",
}
