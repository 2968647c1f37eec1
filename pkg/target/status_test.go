package target

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestDecide(t *testing.T) {
	object := func(change ...func(*v1alpha1.Target)) *v1alpha1.Target {
		o := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud", Generation: 3}}
		for _, do := range change {
			do(o)
		}
		return o
	}
	was := func(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.Target) {
		return func(o *v1alpha1.Target) {
			meta.SetStatusCondition(&o.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "as last known"})
		}
	}
	wasReady := func(o *v1alpha1.Target) {
		was(v1alpha1.ConditionReachable, metav1.ConditionTrue, ReasonReachable)(o)
		was(v1alpha1.ConditionAuthorized, metav1.ConditionTrue, ReasonAuthorized)(o)
		was(v1alpha1.ConditionCapacityKnown, metav1.ConditionTrue, ReasonWatching)(o)
	}
	good := Health{Reachable: true, Reason: ReasonReachable, Message: "it answers", Rights: &Rights{}}
	connecting := Health{Reason: ReasonConnecting, Message: "waiting for the first answer"}
	away := Health{Reason: ReasonUnreachable, Message: "no route", Rights: &Rights{}}
	lacking := Health{Reachable: true, Reason: ReasonReachable, Rights: &Rights{Missing: []string{"list nodes", "watch nodes"}}}
	limited := Health{Reachable: true, Reason: ReasonReachable, Rights: &Rights{Lacking: []string{"patch pods/resize"}}}
	now := metav1.NewTime(noon)
	type reasons struct{ Reachable, Authorized, CapacityKnown, SignalsFresh, Ready string }
	tests := map[string]struct {
		facts     facts
		want      reasons // with + true, - false, ? unknown before each
		wantReady string  // part of its message
	}{
		"a target that answers, allows and is read takes pods": {
			facts: facts{object: object(), health: good, synced: true},
			want:  reasons{"+Reachable", "+Authorized", "+Watching", "+SignalsInForce", "+Ready"}, wantReady: "pods may go there"},
		"a new target is not known yet": {
			facts: facts{object: object(), health: connecting},
			want:  reasons{"?Connecting", "?Connecting", "?Syncing", "+SignalsInForce", "-Connecting"}, wantReady: "waiting for the first answer"},
		"after a restart of the controller what was last known holds": {
			facts: facts{object: object(wasReady), health: connecting},
			want:  reasons{"+Reachable", "+Authorized", "+Watching", "+SignalsInForce", "+Ready"}},
		"and so does what was last known to be wrong": {
			facts:     facts{object: object(wasReady, was(v1alpha1.ConditionReachable, metav1.ConditionFalse, ReasonUnreachable)), health: connecting},
			want:      reasons{"-Unreachable", "+Authorized", "+Watching", "+SignalsInForce", "-Unreachable"},
			wantReady: "as last known"},
		"an unreachable target takes nothing, and says why": {
			facts: facts{object: object(wasReady), health: away, synced: true},
			want:  reasons{"-Unreachable", "+Authorized", "+Watching", "+SignalsInForce", "-Unreachable"}, wantReady: "no route"},
		"wrong credentials are about reaching it and about rights": {
			facts: facts{object: object(), health: Health{Reason: ReasonUnauthorized, Message: "401"}, synced: true},
			want:  reasons{"-Unauthorized", "-Unauthorized", "+Watching", "+SignalsInForce", "-Unauthorized"}, wantReady: "401"},
		"missing rights are named, with the remedy": {
			facts:     facts{object: object(), health: lacking, synced: true},
			want:      reasons{"+Reachable", "-MissingRights", "+Watching", "+SignalsInForce", "-MissingRights"},
			wantReady: "may not list nodes, watch nodes: apply deploy/target-rbac"},
		"rights that only some things need close nothing": {
			facts: facts{object: object(), health: limited, synced: true},
			want:  reasons{"+Reachable", "+Authorized", "+Watching", "+SignalsInForce", "+Ready"}},
		"a bad kubeconfig is the reason, in its words": {
			facts: facts{object: object(), connected: &KubeconfigError{ReasonKubeconfigExpired, "it expired: put a new one"}},
			want:  reasons{"-KubeconfigExpired", "?Connecting", "?Syncing", "+SignalsInForce", "-KubeconfigExpired"}, wantReady: "it expired: put a new one"},
		"a Secret that cannot be read": {
			facts: facts{object: object(wasReady), connected: errors.New("reading Secret: forbidden")},
			want:  reasons{"-KubeconfigMissing", "+Authorized", "+Watching", "+SignalsInForce", "-KubeconfigMissing"}, wantReady: "forbidden"},
		"a target without price is still a place": {
			facts: facts{object: object(), health: good, synced: true, signalErr: errors.New("ConfigMap prices/spot is missing")},
			want:  reasons{"+Reachable", "+Authorized", "+Watching", "-SignalsMissing", "+Ready"}},
		"a cordoned target": {
			facts:     facts{object: object(func(o *v1alpha1.Target) { o.Spec.Unschedulable = true }), health: good, synced: true},
			want:      reasons{"+Reachable", "+Authorized", "+Watching", "+SignalsInForce", "-Unschedulable"},
			wantReady: "spec.unschedulable is set"},
		"a target that drains says how many are left": {
			facts: facts{object: object(func(o *v1alpha1.Target) { o.DeletionTimestamp = &now }), health: good, synced: true,
				room: Room{Delegates: 2}},
			want: reasons{"+Reachable", "+Authorized", "+Watching", "+SignalsInForce", "-Draining"}, wantReady: "2 delegates still run there"},
		"the source cluster itself needs no connection": {
			facts: facts{object: object(func(o *v1alpha1.Target) { o.Spec.Self = true })},
			want:  reasons{"+SourceCluster", "+SourceCluster", "+Watching", "+SignalsInForce", "+Ready"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := test.facts.object.DeepCopy()
			status := decide(test.facts)
			show := func(kind string) string {
				c := meta.FindStatusCondition(status.Conditions, kind)
				require.NotNil(t, c, kind)
				return map[metav1.ConditionStatus]string{metav1.ConditionTrue: "+", metav1.ConditionFalse: "-", metav1.ConditionUnknown: "?"}[c.Status] + c.Reason
			}
			got := reasons{show(v1alpha1.ConditionReachable), show(v1alpha1.ConditionAuthorized), show(v1alpha1.ConditionCapacityKnown),
				show(v1alpha1.ConditionSignalsFresh), show(v1alpha1.ConditionReady)}
			assert.Empty(t, cmp.Diff(test.want, got))
			ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
			assert.Contains(t, ready.Message, test.wantReady)
			assert.EqualValues(t, 3, ready.ObservedGeneration)
			assert.EqualValues(t, 3, status.ObservedGeneration)
			assert.Empty(t, cmp.Diff(before, test.facts.object), "the object comes from a cache and is not changed")
		})
	}
}

func TestFiguresStayWhileATargetIsRead(t *testing.T) {
	object := &v1alpha1.Target{Status: v1alpha1.TargetStatus{Nodes: 4, Pods: 7, Version: "v1.36.0",
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("16")}}}
	kept := decide(facts{object: object, health: Health{Reason: ReasonConnecting, Version: "v1.37.1"}})
	assert.EqualValues(t, 4, kept.Nodes, "a restart must not make the virtual node empty")
	assert.EqualValues(t, 7, kept.Pods)
	assert.Equal(t, "16", kept.Allocatable.Cpu().String())
	assert.Equal(t, "v1.37.1", kept.Version)

	read := decide(facts{object: object, synced: true, room: Room{Nodes: 5, Delegates: 1, Allocatable: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("20"), corev1.ResourceMemory: resource.MustParse("2147483649")}}})
	assert.EqualValues(t, 5, read.Nodes)
	assert.EqualValues(t, 1, read.Pods)
	assert.Equal(t, "20", read.Allocatable.Cpu().String())
	assert.Equal(t, "2Gi", read.Allocatable.Memory().String(), "memory is rounded down to what people read")
}

func TestRoundTripIsShownAnewOnlyWhenItReallyChanged(t *testing.T) {
	shown := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	ms := time.Millisecond
	tests := map[string]struct {
		now   time.Duration
		shown *metav1.Duration
		want  time.Duration
	}{
		"the first is shown, rounded":                   {12345678, nil, 12300 * time.Microsecond},
		"a little more is not":                          {29 * ms, shown(20 * ms), 20 * ms},
		"a little less is not":                          {11 * ms, shown(20 * ms), 20 * ms},
		"half as much again and more is":                {36 * ms, shown(20 * ms), 36 * ms},
		"half is not, at speeds nobody notices":         {5 * ms, shown(2 * ms), 2 * ms},
		"less than half is":                             {40 * ms, shown(100 * ms), 40 * ms},
		"what jitters within a few milliseconds is not": {1 * ms, shown(6 * ms), 6 * ms},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, roundTrip(test.now, test.shown))
		})
	}
}

func TestSignalWords(t *testing.T) {
	assert.Equal(t, "price unknown, carbon intensity unknown", signalWords(v1alpha1.SignalStatus{}))
	assert.Equal(t, "price GBP 0.020 per core hour, 120 gCO2e/kWh", signalWords(v1alpha1.SignalStatus{Price: "GBP 0.020", GramsPerKWh: "120"}))
}

func TestWhatDoesNotWorkForWantOfARightIsSaidBesideWhatDoes(t *testing.T) {
	health := Health{Reachable: true, Rights: &Rights{Lacking: []string{"patch pods/resize", "watch events in namespace bursts"}}}
	assert.Equal(t, "the kubeconfig's user may do all that is needed; what needs the right to patch pods/resize, "+
		"watch events in namespace bursts does not work: apply deploy/target-rbac in the target",
		authorized(facts{object: &v1alpha1.Target{}, health: health}).Message)
	fixed := &v1alpha1.TargetSpec{Namespaces: v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingFixed, Name: "bursts"}}
	for _, r := range usefulRights(fixed) {
		assert.Equal(t, "bursts", r.namespace, "no more is asked for than the one namespace: %s", r)
	}
}
