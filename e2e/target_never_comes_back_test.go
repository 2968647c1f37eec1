package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestATargetWhoseClusterNeverComesBackCanBeRemoved(t *testing.T) {
	t.Parallel()
	tests := map[string]func(s *space){
		"pods are force-deleted one by one": func(s *space) {
			s.kubectl("delete", "pods", "-n", s.name, "--field-selector=spec.nodeName=spillway-spare", "--force", "--grace-period=0")
		},
		"the node is declared out of service": func(s *space) {
			s.kubectl("taint", "node", "spillway-spare", "node.kubernetes.io/out-of-service=gone:NoExecute")
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("spare", "cloud"))
			way := givenLine(t, spare)
			target := s.givenSpare(both(priced("1m", "10"), way.asKubeconfig(s)))
			s.createDeployment("web", 2)
			s.expectAllRunning(2)
			way.cut()
			s.expectNode("spare", corev1.ConditionFalse)

			require.NoError(t, s.client.Delete(t.Context(), target))
			s.expectDrained(target, metav1.ConditionFalse, "DrainUnreachable", "If it never will: kubectl delete pod --force")
			expectEventually(t, late, "replacements in cloud", s.runningIn("cloud", 2))
			end(s)

			// It waits a minute for the delegates that it leaves behind.
			expectEventually(t, 2*late, "the Target to be gone", func(ctx context.Context) error { return s.isGone(ctx, target) })
			s.expectTargetEvents(target, "DelegatesLeftBehind")
			expectEventually(t, soon, "only the replacements to be left", s.allRunning(2))

			// The cluster does come back, under the same name: what was left behind is collected.
			way.mend()
			s.givenTarget("spare", target.Spec)
			s.expectOneDelegateEach(2)
		})
	}
}
