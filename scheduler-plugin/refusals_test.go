package schedulerplugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestARefusalHoldsTwiceAsLongEachTime(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	r := newRefusals(clock)
	var pauses []time.Duration
	for range 7 {
		pauses = append(pauses, r.add("pod", "cloud", "no room"))
	}
	s := time.Second
	assert.Equal(t, []time.Duration{15 * s, 30 * s, 60 * s, 120 * s, 240 * s, 300 * s, 300 * s}, pauses)
}

func TestARefusalHoldsForOnePodAndOneTargetUntilItExpires(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	r := newRefusals(clock)
	pause := r.add("pod", "cloud", "no room")
	found, held := r.get("pod", "cloud")
	assert.True(t, held)
	assert.Equal(t, "no room", found.reason)
	_, held = r.get("pod", "heata")
	assert.False(t, held, "another target was not asked")
	_, held = r.get("other", "cloud")
	assert.False(t, held, "another pod was not refused")

	clock.SetTime(noon.Add(pause - time.Nanosecond))
	_, held = r.get("pod", "cloud")
	assert.True(t, held)
	clock.SetTime(noon.Add(pause))
	_, held = r.get("pod", "cloud")
	assert.False(t, held)
}

func TestAPodThatWasPlacedIsForgotten(t *testing.T) {
	r := newRefusals(clocktesting.NewFakePassiveClock(noon))
	r.add("pod", "cloud", "no room")
	r.add("pod", "heata", "no room")
	r.add("other", "cloud", "no room")
	r.forget("pod")
	for _, target := range []string{"cloud", "heata"} {
		_, held := r.get("pod", target)
		assert.False(t, held, target)
	}
	_, held := r.get("other", "cloud")
	assert.True(t, held)
	assert.Equal(t, 15*time.Second, r.add("pod", "cloud", "again"), "it begins anew")
}

func TestPodsThatAreGoneAreNotRememberedForEver(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	r := newRefusals(clock)
	r.add("gone", "cloud", "no room")
	clock.SetTime(noon.Add(refusalBase + refusalMax))
	r.add("pod", "cloud", "no room")
	assert.Len(t, r.byKey, 2, "a pod that comes back soon still finds its count")
	clock.SetTime(noon.Add(refusalBase + refusalMax + time.Second))
	r.add("pod", "cloud", "no room")
	assert.Len(t, r.byKey, 1)
}
