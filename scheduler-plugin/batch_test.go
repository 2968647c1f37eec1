package schedulerplugin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func placesOf(free map[string]float64) map[string]*place {
	places := map[string]*place{}
	for name, share := range free {
		places[name] = &place{Place: placement.Place{Name: name, FreeShare: share}}
	}
	return places
}

func newCycle(of shape, places map[string]*place) *cycle {
	return &cycle{shape: of, policy: placement.BuiltIn(), places: places}
}

func TestARecordOfABatchedPodNamesWhatItWasNotAskedFor(t *testing.T) {
	web, db := shape{1}, shape{2}
	tests := map[string]struct {
		next       *cycle
		wantPlaces int
	}{
		"the next pod of the same shape":                       {newCycle(web, placesOf(map[string]float64{"a": 0.4})), 3},
		"a pod of another shape":                               {newCycle(db, placesOf(map[string]float64{"a": 0.4})), 1},
		"a pod that was asked of all, as far as others let it": {newCycle(web, placesOf(map[string]float64{"a": 0, "b": 0, "d": 0})), 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b batch
			b.keep(newCycle(web, placesOf(map[string]float64{"a": 0.5, "b": 0.3, "c": 0.1})), map[string][]string{"full": {"Insufficient cpu"}}, false)

			b.complete(tt.next, nil)

			assert.Len(t, tt.next.all(), tt.wantPlaces)
			if own := tt.next.get("a"); own != nil {
				assert.NotEqual(t, 0.5, own.FreeShare, "what it was asked for is its own")
			}
		})
	}
}

func TestALocalNodeThatBecameFullIsNoLongerAPlaceInTheRecord(t *testing.T) {
	var b batch
	web := shape{1}
	b.keep(newCycle(web, placesOf(map[string]float64{"local-1": 0.5, "a": 0.3})), nil, false)
	next := newCycle(web, placesOf(map[string]float64{"a": 0.3}))

	b.complete(next, map[string][]string{"local-1": {"Insufficient cpu"}})

	assert.Nil(t, next.get("local-1"))
	assert.Equal(t, "1 Insufficient cpu", next.localRefusals)
}

// Batching asks whether the node that took the last pod, the last in the list, still is the best.
func TestTheNodeOfTheLastPodIsTakenAgainWhileItIsTheBest(t *testing.T) {
	node := func(name, cpu string) fwk.NodeInfo {
		info := framework.NewNodeInfo()
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Allocatable: allocatable(cpu)}})
		return info
	}
	tests := map[string]struct {
		places map[string]*place
		want   bool
	}{
		"alone":                   {nil, true},
		"when another has passed": {map[string]*place{"other": {Place: placement.Place{Name: "other", FreeShare: 1}}}, false},
		"when another is full":    {map[string]*place{"other": {Place: placement.Place{Name: "other"}, reason: "full"}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := newPlugin(t, nil)
			state := framework.NewCycleState()
			c := newCycle(shape{1}, map[string]*place{})
			c.policy, c.request = anyPolicy(t), placement.Request{Cores: 2}
			state.Write(cycleKey, c)
			nodes := []fwk.NodeInfo{node("last", "4")}
			for name, found := range tt.places {
				c.set(name, found)
				nodes = append([]fwk.NodeInfo{node(name, "4")}, nodes...)
			}

			status := p.PreScore(t.Context(), state, electedPod(), nodes)

			assert.Equal(t, tt.want, status.IsSuccess())
			if tt.want {
				total, status := p.Score(t.Context(), state, electedPod(), nodes[len(nodes)-1])
				require.True(t, status.IsSuccess())
				assert.Positive(t, total)
			}
		})
	}
}

func anyPolicy(t *testing.T) *placement.Policy {
	policy, err := placement.Compile("any", v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny})
	require.NoError(t, err)
	return policy
}

func allocatable(cpu string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("1Gi")}
}
