package schedulerplugin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
)

func ownedBy(owner types.UID) func(*corev1.Pod) {
	controller := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", UID: owner, Controller: &controller}}
	}
}

func boundTo(node string, minute int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName = node
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
			LastTransitionTime: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))}}
	}
}

func inPhase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}

func TestHomesAreWhereAnOwnersPodsAre(t *testing.T) {
	type event struct{ was, is *corev1.Pod }
	added := func(change ...func(*corev1.Pod)) event { return event{is: electedPod(change...)} }
	gone := func(change ...func(*corev1.Pod)) event { return event{was: electedPod(change...)} }
	rs := ownedBy("rs")
	tests := map[string]struct {
		events []event
		want   map[string]int // minutes after noon, by place
	}{
		"an owner without pods has none":    {want: map[string]int{}},
		"a pod that waits shows nothing":    {events: []event{added(rs)}, want: map[string]int{}},
		"a pod without owner shows nothing": {events: []event{added(boundTo("spillway-cloud", 1))}, want: map[string]int{}},
		"another owner's pod is another's":  {events: []event{added(ownedBy("other"), boundTo("spillway-cloud", 1))}, want: map[string]int{}},
		"targets and local nodes, each with its last pod": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)), added(rs, boundTo("spillway-heata", 2)), added(rs, boundTo("spillway-cloud", 3)),
				added(rs, boundTo("worker-a", 4)), added(rs, boundTo("worker-b", 5))},
			want: map[string]int{"cloud": 3, "heata": 2, placement.LocalName: 5}},
		"a pod that is seen being bound counts from then": {
			events: []event{added(rs), {electedPod(rs), electedPod(rs, boundTo("spillway-cloud", 2))}}, want: map[string]int{"cloud": 0}},
		"a pod that has succeeded still shows where its Job runs": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)),
				{electedPod(rs, boundTo("spillway-cloud", 1)), electedPod(rs, boundTo("spillway-cloud", 1), inPhase(corev1.PodSucceeded))}},
			want: map[string]int{"cloud": 1}},
		"a pod that has failed is no reason to go there": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)), added(rs, boundTo("spillway-heata", 2)),
				{electedPod(rs, boundTo("spillway-heata", 2)), electedPod(rs, boundTo("spillway-heata", 2), inPhase(corev1.PodFailed))}},
			want: map[string]int{"cloud": 1}},
		"a place that the last pod has left is forgotten": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)), added(rs, boundTo("spillway-heata", 2)), gone(rs, boundTo("spillway-cloud", 1))},
			want:   map[string]int{"heata": 2}},
		"the last place of all is kept for a while, for a StatefulSet's next pod": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)), gone(rs, boundTo("spillway-cloud", 1))}, want: map[string]int{"cloud": 1}},
		"and given up for where that pod goes": {
			events: []event{added(rs, boundTo("spillway-cloud", 1)), gone(rs, boundTo("spillway-cloud", 1)), added(rs, boundTo("spillway-heata", 2)),
				added(rs, boundTo("spillway-heata", 3)), gone(rs, boundTo("spillway-heata", 2))},
			want: map[string]int{"heata": 3}},
		"a pod that an owner adopts shows where that one is": {
			events: []event{added(boundTo("spillway-cloud", 1)), {electedPod(boundTo("spillway-cloud", 1)), electedPod(rs, boundTo("spillway-cloud", 1))}},
			want:   map[string]int{"cloud": 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHomes(clocktesting.NewFakePassiveClock(noon))
			for _, e := range test.events {
				switch {
				case e.was == nil:
					h.changed(nil, e.is)
				case e.is == nil:
					h.changed(e.was, nil)
				default:
					h.changed(e.was, e.is)
				}
			}
			got := map[string]int{}
			for place, at := range h.of("rs") {
				got[place] = int(at.Sub(noon).Minutes())
			}
			assert.Empty(t, cmp.Diff(test.want, got))
		})
	}
}

func TestOwnersWithoutPodsAreForgotten(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	h := newHomes(clock)
	come := func(owner types.UID) { h.changed(nil, electedPod(ownedBy(owner), boundTo("spillway-cloud", 0))) }
	leave := func(owner types.UID) { h.changed(electedPod(ownedBy(owner), boundTo("spillway-cloud", 0)), nil) }
	come("long gone")
	come("just gone")
	leave("long gone")
	clock.SetTime(noon.Add(homeKept + time.Second))
	leave("just gone")
	assert.NotContains(t, h.owners, types.UID("long gone"))
	assert.NotContains(t, h.left, types.UID("long gone"))
	assert.Contains(t, h.of("just gone"), "cloud")
	come("just gone")
	assert.Empty(t, h.left)
}

func TestAPodThatComparesTargetsItselfHasNoHome(t *testing.T) {
	term := func(key string) corev1.PodAffinityTerm { return corev1.PodAffinityTerm{TopologyKey: key} }
	spread := func(key string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: key, MaxSkew: 1}}
		}
	}
	affinity := func(a corev1.Affinity) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.Affinity = &a } }
	preferring := func(key string) func(*corev1.Pod) {
		return affinity(corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
			{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpExists}}}}}}})
	}
	tests := map[string]struct {
		pod  func(*corev1.Pod)
		want bool // a home
	}{
		"a plain pod":                          {func(*corev1.Pod) {}, true},
		"a pod spread over targets":            {spread(v1alpha1.LabelTarget), false},
		"a pod spread over hosts":              {spread(corev1.LabelHostname), true},
		"a pod away from others by the target": {affinity(corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term(v1alpha1.LabelTarget)}}}), false},
		"a pod rather away from others":        {affinity(corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term(v1alpha1.LabelTarget)}}}}), false},
		"a pod away from others by the host":   {affinity(corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term(corev1.LabelHostname)}}}), true},
		"a pod rather with others":             {affinity(corev1.Affinity{PodAffinity: &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term(v1alpha1.LabelTarget)}}}}), false},
		"a pod that prefers a target":          {preferring(v1alpha1.LabelTarget), false},
		"a pod that prefers some machines":     {preferring("gpu"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := newPlugin(t, nil)
			p.Registry = &target.Registry{}
			p.homes.changed(nil, electedPod(ownedBy("rs"), boundTo("spillway-cloud", 1)))
			got := p.homesOf(electedPod(ownedBy("rs"), test.pod))
			assert.Equal(t, test.want, len(got) == 1, "%v", got)
		})
	}
}

func TestTheRecordSaysWherePodsStayed(t *testing.T) {
	one, more := 1.0, 1.02
	at := func(name string, cost *float64) *place {
		return &place{Place: placement.Place{Name: name, Estimate: placement.Estimate{CostPerHour: cost, Currency: "GBP"}}}
	}
	c := &cycle{policy: placement.BuiltIn(), homes: map[string]time.Time{"heata": noon},
		places: map[string]*place{"spillway-cloud": at("cloud", &one), "spillway-heata": at("heata", &more)}}
	record := c.record("spillway-heata", "", metav1.NewTime(noon))
	require.Len(t, record.Places, 2)
	for _, p := range record.Places {
		assert.Equal(t, p.Name == "heata", p.Sticky, p.Name)
	}
}
