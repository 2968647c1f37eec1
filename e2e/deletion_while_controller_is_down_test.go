package e2e

import (
	"testing"

	"k8s.io/utils/ptr"
)

func TestPodsDeletedWhileTheControllerIsDownAreCleanedUpWhenItIsBack(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	for _, name := range []string{"kindly", "forced", "stays"} {
		s.createElected(name)
	}
	kindly, forced, stays := s.expectRunning("kindly"), s.expectRunning("forced"), s.expectRunning("stays")

	killController(t)
	s.deletePod("kindly", nil)
	s.deletePod("forced", ptr.To[int64](0))
	startController(t)

	s.expectGone(kindly)
	s.expectGone(forced)
	s.expectNoDelegates(kindly, forced)
	s.expectRunning(stays.Name)
}
