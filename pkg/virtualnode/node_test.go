package virtualnode

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestForge(t *testing.T) {
	object := cloud()
	object.Spec.Labels = map[string]string{corev1.LabelTopologyRegion: "eu-west", corev1.LabelArchStable: "arm64"}
	object.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourcePods: resource.MustParse("110")}
	object.Status.Version = "v1.37.1"
	got := forge(object, Endpoint{IP: net.ParseIP("10.0.0.7"), Port: 10251})

	assert.Equal(t, "spillway-cloud", got.Name)
	assert.Empty(t, cmp.Diff(map[string]string{
		corev1.LabelOSStable: "linux", corev1.LabelArchStable: "arm64", "kubernetes.io/role": "agent", "type": "virtual-kubelet",
		"node.kubernetes.io/exclude-from-external-load-balancers": "true",
		corev1.LabelHostname: "spillway-cloud", v1alpha1.LabelTarget: "cloud",
		corev1.LabelTopologyRegion: "eu-west", corev1.LabelTopologyZone: "spillway-cloud",
	}, got.Labels))
	assert.Empty(t, cmp.Diff([]corev1.Taint{{Key: v1alpha1.TaintProvider, Value: "spillway", Effect: corev1.TaintEffectNoSchedule}}, got.Spec.Taints))
	assert.Empty(t, cmp.Diff(object.Status.Allocatable, got.Status.Capacity))
	assert.Empty(t, cmp.Diff(object.Status.Allocatable, got.Status.Allocatable))
	assert.Equal(t, []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.7"}}, got.Status.Addresses)
	assert.EqualValues(t, 10251, got.Status.DaemonEndpoints.KubeletEndpoint.Port)
	assert.Equal(t, "v1.37.1", got.Status.NodeInfo.KubeletVersion)
}

func TestAVirtualNodeDeclaresWhatItsTargetCanDo(t *testing.T) {
	tests := map[string]struct {
		version string
		nodes   []string
		want    []string
	}{
		"a target of 1.37 takes WebSockets":         {"v1.37.1", nil, []string{"ExtendWebSocketsToKubelet"}},
		"so does a provider's build of the first":   {"v1.31.0-gke.100+build", nil, []string{"ExtendWebSocketsToKubelet"}},
		"an older one does not":                     {"v1.30.9", []string{"ExtendWebSocketsToKubelet"}, nil},
		"nothing is declared of an unknown version": {"", nil, nil},
		"what its nodes can is declared in order": {"v1.37.1", []string{"AsTheFirst", "ExtendWebSocketsToKubelet", "InTheMiddle"},
			[]string{"AsTheFirst", "ExtendWebSocketsToKubelet", "InTheMiddle"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := cloud()
			object.Status.Version, object.Status.NodeFeatures = test.version, test.nodes
			assert.Empty(t, cmp.Diff(test.want, forge(object, Endpoint{}).Status.DeclaredFeatures, cmpopts.EquateEmpty()))
		})
	}
}

func TestLabelsOfTheVirtualNode(t *testing.T) {
	tests := map[string]struct {
		declared  map[string]string
		key, want string
	}{
		"a zone of its own, so that targets' evictions do not slow each other down": {nil, corev1.LabelTopologyZone, "spillway-cloud"},
		"a declared zone is kept":                         {map[string]string{corev1.LabelTopologyZone: "eu-1a"}, corev1.LabelTopologyZone, "eu-1a"},
		"a declared hostname cannot hide the node's":      {map[string]string{corev1.LabelHostname: "mine"}, corev1.LabelHostname, "spillway-cloud"},
		"a declared target cannot be another's":           {map[string]string{v1alpha1.LabelTarget: "heata"}, v1alpha1.LabelTarget, "cloud"},
		"a declared type cannot make it look like a node": {map[string]string{"type": "node"}, "type", "virtual-kubelet"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := cloud()
			object.Spec.Labels = test.declared
			assert.Equal(t, test.want, forge(object, Endpoint{}).Labels[test.key])
		})
	}
}

func TestTaintsOfOthersStayAndOursFollowTheTarget(t *testing.T) {
	provider := corev1.Taint{Key: v1alpha1.TaintProvider, Value: v1alpha1.TaintProviderValue, Effect: corev1.TaintEffectNoSchedule}
	closed := corev1.Taint{Key: v1alpha1.TaintUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	cordon := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	open, shut := cloud(), cloud()
	shut.Spec.Unschedulable = true
	tests := map[string]struct {
		target     *v1alpha1.Target
		have, want []corev1.Taint
	}{
		"somebody took the provider's away": {open, nil, []corev1.Taint{provider}},
		"the Target takes no new pods":      {shut, []corev1.Taint{provider}, []corev1.Taint{provider, closed}},
		"and takes them again":              {open, []corev1.Taint{provider, closed}, []corev1.Taint{provider}},
		"kubectl cordon":                    {shut, []corev1.Taint{provider, cordon}, []corev1.Taint{provider, cordon, closed}},
		"kubectl cordon, kept":              {open, []corev1.Taint{provider, cordon, closed}, []corev1.Taint{provider, cordon}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, withOurs(test.have, taints(test.target)))
		})
	}
}

func TestTheReadyConditionTellsTheTruth(t *testing.T) {
	early, late := metav1.NewTime(time.Unix(100, 0)), metav1.NewTime(time.Unix(200, 0))
	condition := func(kind string, status metav1.ConditionStatus, reason string, at metav1.Time) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: reason + " it is", LastTransitionTime: at}
	}
	reachable := condition(v1alpha1.ConditionReachable, metav1.ConditionTrue, "Reachable", early)
	authorized := condition(v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "Authorized", late)
	known := condition(v1alpha1.ConditionCapacityKnown, metav1.ConditionTrue, "Watching", early)
	tests := map[string]struct {
		conditions []metav1.Condition
		want       corev1.NodeCondition
	}{
		"a target that nobody has reached yet is not ready": {
			nil, corev1.NodeCondition{Status: corev1.ConditionFalse, Reason: "TargetConnecting", Message: "the target has not been reached yet"}},
		"a target that is reached, allowed and known is ready since the last of them": {
			[]metav1.Condition{reachable, authorized, known},
			corev1.NodeCondition{Status: corev1.ConditionTrue, Reason: "TargetReady", Message: "the target answers", LastTransitionTime: late}},
		"an unreachable target is not ready, in the target's words": {
			[]metav1.Condition{condition(v1alpha1.ConditionReachable, metav1.ConditionFalse, "Unreachable", late), authorized, known},
			corev1.NodeCondition{Status: corev1.ConditionFalse, Reason: "Unreachable", Message: "Unreachable it is", LastTransitionTime: late}},
		"a target of which something is not known is not ready": {
			[]metav1.Condition{reachable, authorized, condition(v1alpha1.ConditionCapacityKnown, metav1.ConditionUnknown, "Syncing", early)},
			corev1.NodeCondition{Status: corev1.ConditionFalse, Reason: "Syncing", Message: "Syncing it is", LastTransitionTime: late}},
		"a target without a price is ready: signals are not part of it": {
			[]metav1.Condition{reachable, authorized, known, condition(v1alpha1.ConditionSignalsFresh, metav1.ConditionFalse, "SignalsMissing", late)},
			corev1.NodeCondition{Status: corev1.ConditionTrue, Reason: "TargetReady", Message: "the target answers", LastTransitionTime: late}},
		"a cordoned target is ready: its pods run on": {
			[]metav1.Condition{reachable, authorized, known, condition(v1alpha1.ConditionReady, metav1.ConditionFalse, "Unschedulable", late)},
			corev1.NodeCondition{Status: corev1.ConditionTrue, Reason: "TargetReady", Message: "the target answers", LastTransitionTime: late}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := cloud()
			object.Status.Conditions = test.conditions
			got := conditions(object)
			require.Len(t, got, 5)
			test.want.Type = corev1.NodeReady
			assert.Empty(t, cmp.Diff(test.want, got[0]))
			for _, other := range got[1:] {
				assert.Equal(t, corev1.ConditionFalse, other.Status, other.Type)
			}
		})
	}
}

func TestTheProviderNotifiesOfChangesOnly(t *testing.T) {
	p := newProvider(forge(cloud(), Endpoint{}))
	heard := make(chan *corev1.Node, 10)
	p.NotifyNodeStatus(t.Context(), func(n *corev1.Node) { heard <- n })

	p.update(forge(cloud(), Endpoint{}))
	grown := cloud()
	grown.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")}
	p.update(forge(grown, Endpoint{}))
	got := receive(t, heard)
	assert.Equal(t, "8", got.Status.Allocatable.Cpu().String(), "the first notification is of the first change")

	labelled := grown.DeepCopy()
	labelled.Spec.Labels = map[string]string{corev1.LabelTopologyRegion: "eu"}
	p.update(forge(labelled, Endpoint{}))
	assert.Equal(t, "eu", receive(t, heard).Labels[corev1.LabelTopologyRegion])
	p.update(forge(labelled, Endpoint{}))
	assert.Never(t, func() bool { return len(heard) > 0 }, 100*time.Millisecond, 10*time.Millisecond)
}

func TestTheProviderNeverBlocksAfterTheNodeControllerStopped(t *testing.T) {
	p, blocked := newProvider(forge(cloud(), Endpoint{})), make(chan struct{}, 1)
	p.NotifyNodeStatus(t.Context(), func(*corev1.Node) { blocked <- struct{}{}; select {} }) // as virtual-kubelet's does then
	done := make(chan struct{})
	go func() {
		defer close(done)
		for version := range 100 {
			object := cloud()
			object.Status.Version = time.Duration(version).String()
			p.update(forge(object, Endpoint{}))
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("update blocked, and with it the reconciles of all targets")
	}
	<-blocked
	assert.Equal(t, "99ns", p.node().Status.NodeInfo.KubeletVersion, "the newest is kept for the next life of the controller")
}

func TestTheProvidersNodeIsACopy(t *testing.T) {
	p := newProvider(forge(cloud(), Endpoint{}))
	p.node().Labels["type"] = "changed"
	assert.Equal(t, "virtual-kubelet", p.node().Labels["type"])
	assert.NoError(t, p.Ping(t.Context()))
}

func cloud() *v1alpha1.Target {
	return &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}}
}

func receive(t *testing.T, heard <-chan *corev1.Node) *corev1.Node {
	t.Helper()
	select {
	case n := <-heard:
		return n
	case <-time.After(10 * time.Second):
		t.Fatal("no notification")
		return nil
	}
}
