package target

// Condition reasons of a Target. Each comes with a message that says what to do.
const (
	ReasonReady               = "Ready"
	ReasonSelf                = "SourceCluster"
	ReasonKubeconfigMissing   = "KubeconfigMissing"
	ReasonKubeconfigMalformed = "KubeconfigMalformed"
	ReasonKubeconfigUnsafe    = "KubeconfigUnsafe"
	ReasonKubeconfigExpired   = "KubeconfigExpired"
	ReasonConnecting          = "Connecting"
	ReasonReachable           = "Reachable"
	ReasonUnreachable         = "Unreachable"
	ReasonUnauthorized        = "Unauthorized"
	ReasonMissingRights       = "MissingRights"
	ReasonAuthorized          = "Authorized"
	ReasonSyncing             = "Syncing"
	ReasonWatching            = "Watching"
	ReasonCapacityInvalid     = "CapacityInvalid"
	ReasonSignalsInForce      = "SignalsInForce"
	ReasonSignalsMissing      = "SignalsMissing"
	ReasonUnschedulable       = "Unschedulable"
	ReasonDraining            = "Draining"
	ReasonCordoned            = "Cordoned"
	ReasonDrained             = "Drained"
	ReasonDrainHeld           = "DrainHeld"
	ReasonDrainAway           = "DrainUnreachable"
	ReasonLeftBehind          = "DelegatesLeftBehind"
)

const actionDrain = "Drain"

// What the condition Drained and its events say.
const (
	messageUnschedulable = "spec.unschedulable is set: no new pods go there, and those that run there are moved away"
	messageCordoned      = "its virtual node is cordoned: no new pods go there, those that run there stay; kubectl uncordon %s opens it"
	messageDrained       = "no pod of this cluster runs there any more"
	messageLeft          = "%d pods have to go"
	messageBare          = "%s/%s has no controller that would make it anew, so it stays: delete it when it may go"
	messageHeld          = "%s/%s cannot be evicted now: %s: see that its replicas become ready elsewhere, or change its PodDisruptionBudget; it is tried again"
	messageAway          = "%d pods have to go, and end when the target answers again. If it never will: kubectl delete pod --force them, " +
		"or taint the virtual node node.kubernetes.io/out-of-service=gone:NoExecute, which does so for all that are being deleted"
	messageLeftBehind = "the target does not answer, and %d delegates were left behind in it, whose pods here are gone: if it comes back, delete them there (kubectl delete pods -A -l %s=%s,%s=%s)"
)
