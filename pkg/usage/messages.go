package usage

import "errors"

// Where figures come from, for the log.
const (
	sourceNodes     = "the target's kubelets"
	sourceMetrics   = "the target's metrics API"
	stateIncomplete = ", incomplete"
)

// What callers of the kubelet API and readers of the log are told.
const (
	textNotConnected = "node %s: its target is not connected: see `kubectl get targets`"
	textNoFigures    = "target %q tells nothing of what its pods use: let the kubeconfig's user list pods of metrics.k8s.io " +
		"there, where a metrics-server runs, or get nodes/proxy: %w; %w"
	textNode       = "node %s: %w"
	textMetricsAPI = "asking the metrics API: %w"
	textAnswer     = "reading the answer: %w"
)

var (
	errRefused = errors.New("the kubeconfig's user may not get nodes/proxy")
	errTooLong = errors.New("the answer is too long")
)
