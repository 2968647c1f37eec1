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
)
