package schedulerplugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// seen is a place of a record without its scores, which placement tests.
type seen struct {
	Name, Reason string
	Local        bool
	Feasible     bool
}

func TestRecord(t *testing.T) {
	local := func(free float64, reason string) *place {
		return &place{Place: placement.Place{Name: placement.LocalName, Local: true, FreeShare: free}, reason: reason}
	}
	remote := func(name, reason string) *place {
		return &place{Place: placement.Place{Name: name}, reason: reason}
	}
	tests := map[string]struct {
		places        map[string]*place
		winner        string
		localRefusals string
		wantTarget    string
		want          []seen
	}{
		"a target that won is named, and the local nodes' refusals stand for all of them": {
			places: map[string]*place{"spillway-cloud": remote("cloud", ""), "spillway-heata": remote("heata", "2 Insufficient cpu")},
			winner: "spillway-cloud", localRefusals: "3 Insufficient cpu", wantTarget: "cloud",
			want: []seen{{Name: "cloud", Feasible: true}, {Name: "heata", Reason: "2 Insufficient cpu"},
				{Name: "local", Local: true, Reason: "3 Insufficient cpu"}},
		},
		"local nodes are one place, and a local winner has no target": {
			places: map[string]*place{"worker-a": local(0.5, ""), "worker-b": local(0.5, ""), "spillway-cloud": remote("cloud", "")},
			winner: "worker-b", want: []seen{{Name: "cloud", Feasible: true}, {Name: "local", Local: true, Feasible: true}},
		},
		"local nodes of which some refused are still one place that takes it": {
			places: map[string]*place{"worker-a": local(0.5, ""), "spillway-cloud": remote("cloud", "")},
			winner: "spillway-cloud", localRefusals: "1 Insufficient cpu", wantTarget: "cloud",
			want: []seen{{Name: "cloud", Feasible: true}, {Name: "local", Local: true, Feasible: true}},
		},
		"local nodes that the policy refuses are one place with its reason": {
			places: map[string]*place{"worker-a": local(0.5, "remote only"), "worker-b": local(0.5, "remote only"), "spillway-cloud": remote("cloud", "")},
			winner: "spillway-cloud", wantTarget: "cloud",
			want: []seen{{Name: "cloud", Feasible: true}, {Name: "local", Local: true, Reason: "remote only"}},
		},
		"a source without local nodes has no local place": {
			places: map[string]*place{"spillway-cloud": remote("cloud", "")},
			winner: "spillway-cloud", wantTarget: "cloud", want: []seen{{Name: "cloud", Feasible: true}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &cycle{policy: placement.BuiltIn(), places: test.places}
			record := c.record(test.winner, test.localRefusals, metav1.NewTime(noon))
			assert.Equal(t, test.wantTarget, record.Target)
			assert.Equal(t, test.winner, record.Node)
			assert.Equal(t, placement.BuiltIn().Name, record.Policy)
			assert.Equal(t, v1alpha1.ModeLocalFirst, record.Mode)
			assert.True(t, record.At.Time.Equal(noon))
			got := map[string]seen{}
			for _, p := range record.Places {
				require.NotContains(t, got, p.Name, "each place once")
				got[p.Name] = seen{Name: p.Name, Reason: p.Reason, Local: p.Local, Feasible: p.Feasible}
			}
			want := map[string]seen{}
			for _, p := range test.want {
				want[p.Name] = p
			}
			assert.Empty(t, cmp.Diff(want, got))
		})
	}
}

func TestTheRecordShowsTheChosenLocalNodesFigures(t *testing.T) {
	cheap, dear := 0.01, 0.02
	at := func(cost *float64) *place {
		return &place{Place: placement.Place{Name: placement.LocalName, Local: true,
			Estimate: placement.Estimate{CostPerHour: cost, Currency: "GBP"}}}
	}
	for range 20 { // maps have no order
		c := &cycle{policy: placement.BuiltIn(), places: map[string]*place{"worker-a": at(&dear), "worker-b": at(&cheap), "worker-c": at(&dear)}}
		record := c.record("worker-b", "", metav1.NewTime(noon))
		require.Len(t, record.Places, 1)
		require.Equal(t, "0.01", record.Places[0].CostPerHour)
	}
}

func TestAWhatIfLeavesNoTraceInTheCycle(t *testing.T) {
	c := &cycle{policy: placement.BuiltIn(), fence: "spillway-cloud", remote: "not elected", places: map[string]*place{"worker-a": {}}}
	clone := c.Clone().(*cycle)
	clone.set("worker-b", &place{})
	assert.Nil(t, c.get("worker-b"))
	assert.Equal(t, "spillway-cloud", clone.fence)
	assert.Equal(t, "not elected", clone.remote)
}

func TestWithoutPreFilterThereIsNoCycle(t *testing.T) {
	_, err := cycleOf(framework.NewCycleState())
	assert.ErrorContains(t, err, "PreFilter has not run")
}
