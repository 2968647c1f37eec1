package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestARestartedControllerAdoptsRunningPodsWithoutWritingToAnyTarget(t *testing.T) {
	const n = 10
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	for i := range n {
		s.createElected(fmt.Sprintf("steady-%d", i))
	}
	pods := s.expectAllRunning(n)
	before := s.versions()

	killController(t)
	startController(t)

	// A pod that comes after the restart is proof that the controller has looked at all there was.
	s.createElected("after")
	after := s.expectRunning("after")
	now := s.versions()
	delete(now, after.UID)
	assert.Equal(t, before, now, "the delegates are the same, and none was written to")
	for _, pod := range pods {
		assert.Equal(t, pod.ResourceVersion, s.getPod(pod.Name).ResourceVersion, "nor was %s", pod.Name)
	}
	assert.Contains(t, s.logs("steady-0", &corev1.PodLogOptions{}), "hello from cluster")
}

// versions are the resource versions of the space's delegates, by source pod and target.
func (s *space) versions() map[types.UID]string {
	s.t.Helper()
	versions := map[types.UID]string{}
	for _, in := range targets() {
		found, err := s.delegates(s.t.Context(), in)
		require.NoError(s.t, err)
		for uid, delegates := range found {
			for _, delegate := range delegates {
				versions[uid] += fmt.Sprintf("%s/%s@%s ", in.name, delegate.UID, delegate.ResourceVersion)
			}
		}
	}
	return versions
}
