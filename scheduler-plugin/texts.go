package schedulerplugin

// What a pod's condition and events say, after the name of the target that refuses: "heata: refused the delegate: …".
const (
	reasonNotElected      = "the pod is not elected: only local nodes count"
	reasonNotAdmitted     = "the pod lacks the label spillway.dev/elected, which admission sets: check that deploy/admission is installed, and create the pod again"
	reasonNamespaceClosed = "namespace %s does not allow bursting: label it spillway.dev/burst=enabled"
	reasonDelegateEnding  = "its delegate there is still being deleted"
	reasonHeld            = "%s may have a delegate of this pod (%s): the pod waits for that target, because elsewhere it might run twice; to give that delegate up, delete the pod"
	reasonFenced          = "its delegate is in %s"
	reasonGroupElsewhere  = "its group %s is in %s"
	reasonGroupOver       = "the attempt of group %s is over"
	reasonOtherNode       = "group %s has node %s for it"
	reasonOneOfGroup      = "pod %s of the group: %s"
	reasonMember          = "%s: pod %s: %s" // the place, the pod, why
	reasonGaveUp          = "gave up before its group was complete"
	reasonPodGone         = "pod %s was deleted"
	reasonPreemptsFirst   = "by its policy the pod first evicts local pods of lower priority (preemption: BeforeBurst)"
	reasonDownAsAsked     = "down, as asked"
	reasonNoTarget        = "its Target does not exist any more"
	reasonCordoned        = "its virtual node is cordoned: kubectl uncordon %s opens it"
	reasonNamespaceNotFor = "its Target's namespaces.selector does not admit namespace %s"
	reasonRefusedBefore   = "refused it at %s: %s"
	reasonRefusedAlike    = "refused a pod like it at %s: %s"
	reasonInLine          = "another pod like it still waited for the target's answer: %v"
	reasonDeletes         = "deleted the last %d delegates within %s of their start: %s"
	reasonNotScheduled    = "did not schedule the delegate within %s"
	reasonNotGrown        = "made no node for the delegate within %s (capacity.autoscaling.timeout): %s"
	reasonGrowthTaken     = "another pod has just begun to wait there for a new node"
	reasonGrowthFull      = "%d pods wait there for new nodes already, and capacity.autoscaling.maxPendingPods is %d"
	reasonDelegateGone    = "deleted the delegate before it was scheduled"
	reasonNoAnswer        = "did not answer in time: %w"
	reasonNameTaken       = "has another pod %s/%s, which is not this pod's delegate: delete or rename it there"
	reasonCreating        = "refused the delegate: %w"
	reasonNoNamespace     = "no namespace %s, and its Target does not allow to create it: create it there, or set spec.namespaces.create"
	reasonNoLongerBest    = "the place of the pod before it is no longer the best"
)

// What a mark says: see marks.go.
const (
	reasonUnconfirmed  = "DelegateNotTakenBack"
	messageUnconfirmed = "%s may have a delegate of this pod, which could not be taken back: the pod waits for that target, because elsewhere it might run twice"
	reasonConfirmed    = "DelegateConfirmed"
	messageConfirmed   = "nothing of this pod is left in %s that is not known"
)

// What the event says on a pod that waits in a target for a node.
const (
	eventWaitsForNode   = "WaitsForNode"
	actionScheduling    = "Scheduling"
	messageWaitsForNode = "fits no node now; its delegate waits in %s, which makes nodes on demand, for at most %s"
)

// What a Target's event says.
const (
	reasonDeletesDelegates = "DelegatesDeleted"
	messageDeletes         = "the target deleted the last %d delegates soon after they were scheduled there, and nobody here asked for that: it is not " +
		"used for new pods for %s, then tried with one. Look in the target for what deletes pods that have the label spillway.dev/source-uid"
)
