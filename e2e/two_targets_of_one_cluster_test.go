package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Two node pools of one cluster, such as spot and on-demand, are two Targets with different node selectors and prices.
func TestTwoTargetsOfOneClusterLeaveEachOthersDelegatesAlone(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, TargetSelector: targetsNamed("spare", "spare-spot")})
	s.givenSpare(priced("20m", "100"))
	spot := s.givenTarget("spare-spot", v1alpha1.TargetSpec{
		KubeconfigSecretRef: s.givenKubeconfig(spare.kubeconfig(t)),
		Namespaces:          v1alpha1.NamespaceMapping{Create: true, Selector: s.selector()},
		Labels:              map[string]string{"pool": "spot"},
	})
	s.expectOpen(spot)

	s.createElected("steady", targeting("spare"))
	s.createElected("spot", targeting("spare-spot"))
	steady, onSpot := s.expectRunningOn("steady", "spare"), s.expectRunningOn("spot", "spare-spot")

	expectThroughout(t, 3*time.Second, "both to go on running", s.allRunning(2))
	assert.NotEqual(t, s.expectDelegate(spare, steady).UID, s.expectDelegate(spare, onSpot).UID)
}
