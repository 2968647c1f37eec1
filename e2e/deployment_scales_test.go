package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestADeploymentScalesTo20AndBackToNone(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	s.createDeployment("web", 1)
	s.expectAllRunning(1)

	s.scale("web", 20)

	for _, pod := range s.expectAllRunning(20) {
		assert.True(t, onTarget(&pod, heata.name), "the cheapest place has room for all: %s", describe(&pod))
	}

	s.scale("web", 0)

	s.expectAllRunning(0)
	s.expectNoDelegates()
}
