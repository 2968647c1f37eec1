package report

// Why a pod is where it is.
const (
	whyOnlyPlace  = "the only place considered"
	whyOnlyFit    = "the only one of %d places that takes it"
	whyLocalFirst = "local nodes have room and come first (mode LocalFirst)"
	whyBest       = "best of %d: total %d (cost %s, carbon %s, capacity %s), next %s with %d"
	whyStays      = "its owner's pods are there already, and no other place is better by more than the policy's tolerance: total %d (cost %s, carbon %s, capacity %s), next %s with %d"
	whyLocalFull  = "; local: %s"
	whyNoRecord   = "it was bound without Spillway's scheduler, so there is no record of other places"
	whyWaiting    = "the scheduler has not looked at it yet"
	notSubmitted  = "not submitted"
)

// What keeps a pod from being elected, and what to do.
const (
	missingAnnotation = "the pod has no annotation %s: add `%s: \"\"` to the pod template's annotations"
	missingLabel      = "namespace %s does not allow bursting: kubectl label namespace %s %s=%s"
	otherScheduler    = "the pod names another scheduler, %s: leave spec.schedulerName out and create the pod again"
	notAdmitted       = "the pod has no label %s, which admission sets: it was created before its namespace was labelled, or the " +
		"admission policy is not installed (spillway check); create the pod again"
)

// hints are what to do about reasons that do not say so themselves: the words of Kubernetes' scheduler and short ones of ours.
var hints = []struct{ part, hint string }{
	{"Insufficient ", "no single node has that much free: lower the pod's requests, wait until pods end, or join another target (spillway join)"},
	{"didn't match Pod's node affinity/selector", "the nodes lack labels that the pod's nodeSelector or nodeAffinity asks for: change them, or label nodes there"},
	{"untolerated taint", "the nodes have taints: tolerate them in the pod, or in spec.tolerations of the Target"},
	{"didn't match pod topology spread", "the pod's topologySpreadConstraints leave no node: relax them, or use whenUnsatisfiable: ScheduleAnyway"},
	{"didn't match pod anti-affinity", "pods that it refuses to be with are on every node: relax podAntiAffinity, or add nodes"},
	{"policy", "a placement policy decides this: kubectl get placementpolicies,clusterplacementpolicies -A"},
	{"target is cordoned", "the target takes no new pods on purpose: kubectl patch target NAME --type=merge -p '{\"spec\":{\"unschedulable\":false}}'"},
	{"its virtual node is cordoned", "the target takes no new pods on purpose: kubectl uncordon spillway-NAME"},
	{"target is being deleted", "the Target is on its way out: join it again, or let the pod go elsewhere"},
	{"its nodes and pods are still being read", "the controller has just connected: wait a few seconds"},
	{whyWaiting, "see whether the controller runs: spillway check"},
}

// What a check says and advises.
const (
	crdEstablished     = "established"
	crdNot             = "not established: %s"
	objectFound        = "installed"
	objectMissing      = "is missing"
	objectUnknownKind  = "the API server does not serve %s"
	remedyInstall      = "install Spillway in this cluster: kubectl apply -k deploy; or name the right one with --context"
	remedyKind         = "MutatingAdmissionPolicy is on by default from Kubernetes 1.36: upgrade the source cluster's API server"
	remedyRead         = "ask for the right to read it, or run the check as an administrator"
	controllerAlive    = "renewed the lease of virtual node %s %s ago"
	controllerSilent   = "renewed the lease of no virtual node within %s; the last was %s, %s ago"
	controllerNoLease  = "has made no virtual node for any of %d targets"
	controllerNoTarget = "there is no Target yet, so nothing shows whether it works"
	controllerBehind   = "has not read generation %d of Target %s; it last read %d"
	remedyController   = "see whether it runs: kubectl -n spillway-system get pods; kubectl -n spillway-system logs deploy/spillway-controller"
	remedyJoin         = "join one: spillway join NAME --kubeconfig-of FILE"
	conditionMissing   = "has not been reported yet"
	remedyCondition    = "do what the message says; kubectl describe target %s shows all of them"
	remedyPolicy       = "correct the policy: kubectl edit %s"
	allWell            = "\nAll %d checks passed.\n"
	someFailed         = "\n%d of %d checks failed.\n"
)
