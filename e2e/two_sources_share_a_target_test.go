package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/utils/ptr"
)

func TestTwoSourcesShareATargetAndNeverMeet(t *testing.T) {
	t.Parallel()
	name := uniqueName("shared")
	one, two := givenNamespaceNamed(t, source, name, burst), givenNamespaceNamed(t, source2, name, burst)
	one.givenPolicy(remoteOnly(heata.name))
	two.givenPolicy(remoteOnly(heata.name))

	one.createElected("same")
	two.createElected("same")

	first, second := one.expectRunningOn("same", heata.name), two.expectRunningOn("same", heata.name)
	ofFirst, ofSecond := one.expectDelegate(heata, first), two.expectDelegate(heata, second)
	assert.Equal(t, ofFirst.Namespace, ofSecond.Namespace)
	assert.NotEqual(t, ofFirst.Name, ofSecond.Name)

	one.deletePod("same", ptr.To[int64](0))

	one.expectGone(first)
	one.expectNoDelegates()
	expectThroughout(t, 2*time.Second, "the other source's pod to go on running", two.allRunning(1))
	assert.Equal(t, ofSecond.ResourceVersion, two.expectDelegate(heata, second).ResourceVersion)
}
