package virtualnode

import (
	"maps"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Endpoint is where a virtual node's kubelet API listens, as the API server reaches it.
type Endpoint struct {
	IP   net.IP
	Port int32
}

// forge is pure: the Node object that stands for a target.
func forge(t *v1alpha1.Target, e Endpoint) *corev1.Node {
	name := v1alpha1.VirtualNodeName(t.Name)
	labels := map[string]string{
		corev1.LabelOSStable:             "linux",
		corev1.LabelArchStable:           "amd64",
		"kubernetes.io/role":             "agent",
		corev1.LabelNodeExcludeBalancers: "true", // a load balancer has nothing to send to here
	}
	maps.Copy(labels, t.Spec.Labels)
	labels[corev1.LabelHostname] = name
	labels[v1alpha1.LabelTarget] = t.Name
	labels[v1alpha1.LabelNodeType] = v1alpha1.NodeTypeVirtual
	if _, ok := labels[corev1.LabelTopologyZone]; !ok {
		// A zone of its own: the node lifecycle controller slows eviction down by zone, so that targets without one would
		// be judged together, and one that fails would keep another's pods from being evicted.
		labels[corev1.LabelTopologyZone] = name
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{Taints: taints(t)},
		Status: corev1.NodeStatus{
			Capacity:         t.Status.Allocatable.DeepCopy(),
			Allocatable:      t.Status.Allocatable.DeepCopy(),
			Conditions:       conditions(t),
			Addresses:        []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: e.IP.String()}},
			DeclaredFeatures: features(&t.Status),
			DaemonEndpoints:  corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: e.Port}},
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion:          t.Status.Version,
				OperatingSystem:         "linux",
				Architecture:            "amd64",
				ContainerRuntimeVersion: "spillway://" + t.Name,
			},
		},
	}
}

// webSocketsToKubelet is a feature of nodes: the API server then passes WebSockets on as they are. It would else make SPDY of
// them, and on the way lose that a connection broke: half an answer of exec would look like a whole one.
const webSocketsToKubelet = "ExtendWebSocketsToKubelet"

// webSocketsSince is the version from which on API servers take all streams over WebSocket. An unknown version is an old one.
var webSocketsSince = version.MustParseGeneric("1.31")

// features are what pods may be changed to while they run, as far as all nodes of the target can, and how streams come.
func features(target *v1alpha1.TargetStatus) []string {
	list := slices.DeleteFunc(slices.Clone(target.NodeFeatures), func(f string) bool { return f == webSocketsToKubelet })
	if v, err := version.ParseGeneric(target.Version); err == nil && v.AtLeast(webSocketsSince) {
		list = append(list, webSocketsToKubelet)
	}
	slices.Sort(list) // as a kubelet does, and as the API server demands
	return list
}

func taints(t *v1alpha1.Target) []corev1.Taint {
	list := []corev1.Taint{{Key: v1alpha1.TaintProvider, Value: v1alpha1.TaintProviderValue, Effect: corev1.TaintEffectNoSchedule}}
	if t.Spec.Unschedulable || !t.DeletionTimestamp.IsZero() {
		list = append(list, corev1.Taint{Key: v1alpha1.TaintUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	return list
}

// withOurs replaces those taints of a node that are ours to set, where they differ.
func withOurs(have, ours []corev1.Taint) []corev1.Taint {
	merged := slices.DeleteFunc(slices.Clone(have), func(taint corev1.Taint) bool {
		mine := taint.Key == v1alpha1.TaintProvider || taint.Key == v1alpha1.TaintUnschedulable
		return mine && !slices.ContainsFunc(ours, func(o corev1.Taint) bool { return o.MatchTaint(&taint) })
	})
	for _, taint := range ours {
		if !slices.ContainsFunc(merged, func(h corev1.Taint) bool { return h.MatchTaint(&taint) }) {
			merged = append(merged, taint)
		}
	}
	return merged
}

// conditions tell the truth about the target: a node is ready while its cluster can be reached and used.
func conditions(t *v1alpha1.Target) []corev1.NodeCondition {
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "TargetReady", Message: "the target answers"}
	for _, kind := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionAuthorized, v1alpha1.ConditionCapacityKnown} {
		c := meta.FindStatusCondition(t.Status.Conditions, kind)
		if c == nil {
			ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, "TargetConnecting", "the target has not been reached yet"
			break
		}
		ready.LastTransitionTime = later(ready.LastTransitionTime, c.LastTransitionTime)
		if c.Status != metav1.ConditionTrue {
			ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, c.Reason, c.Message
			break
		}
	}
	list := []corev1.NodeCondition{ready}
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeNetworkUnavailable} {
		list = append(list, corev1.NodeCondition{Type: kind, Status: corev1.ConditionFalse, Reason: "NotOfANode", Message: "a target's own nodes tell of this",
			LastTransitionTime: t.CreationTimestamp})
	}
	return list
}

func later(a, b metav1.Time) metav1.Time {
	if a.Before(&b) {
		return b
	}
	return a
}
