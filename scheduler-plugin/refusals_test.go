package schedulerplugin

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

// The shapes of the tests.
var web, jobs = shape{1}, shape{2}

func newTestRefusals() (*refusals, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(noon)
	return newRefusals(clock), clock
}

func holds(r *refusals, target string, s shape, pod types.UID) bool {
	_, held := r.get(target, s, pod)
	return held
}

func TestARefusalHoldsTwiceAsLongEachTime(t *testing.T) {
	r, clock := newTestRefusals()
	var pauses []time.Duration
	for range 7 {
		pause := r.add("cloud", ofShape(web), "a", byRule, "no")
		pauses = append(pauses, pause)
		clock.SetTime(clock.Now().Add(pause))
	}
	s := time.Second
	assert.Equal(t, []time.Duration{15 * s, 30 * s, 60 * s, 120 * s, 240 * s, 300 * s, 300 * s}, pauses)
}

func TestRefusalsOfPodsThatWereAskedTogetherAreOne(t *testing.T) {
	r, clock := newTestRefusals()
	r.add("cloud", ofShape(web), "a", byRule, "no")
	clock.SetTime(noon.Add(time.Second))
	assert.Equal(t, refusalBase-time.Second, r.add("cloud", ofShape(web), "b", byRule, "no"))
	clock.SetTime(noon.Add(refusalBase))
	assert.False(t, holds(r, "cloud", web, "a"), "the second has not made it longer")
}

func TestARefusalHoldsForAllPodsOfAShapeAndOneTarget(t *testing.T) {
	r, clock := newTestRefusals()
	pause := r.add("cloud", ofShape(web), "a", byRule, "no")
	found, held := r.get("cloud", web, "b")
	assert.True(t, held, "another pod of the shape")
	assert.Equal(t, "no", found.reason)
	assert.Equal(t, types.UID("a"), found.pod)
	assert.False(t, holds(r, "heata", web, "a"), "another target was not asked")
	assert.False(t, holds(r, "cloud", jobs, "c"), "another shape was not refused")

	clock.SetTime(noon.Add(pause - time.Nanosecond))
	assert.True(t, holds(r, "cloud", web, "a"))
	clock.SetTime(noon.Add(pause))
	assert.False(t, holds(r, "cloud", web, "a"))
}

func TestARefusalOfOnePodIsNotItsShapes(t *testing.T) {
	r, _ := newTestRefusals()
	r.add("cloud", ofPod("a"), "a", byRule, "its name is taken")
	assert.True(t, holds(r, "cloud", web, "a"))
	assert.False(t, holds(r, "cloud", web, "b"))
	r.dropPod("a")
	assert.False(t, holds(r, "cloud", web, "a"), "a pod that is gone is forgotten")
	assert.Zero(t, r.kept)
}

func TestWhatEndsARefusal(t *testing.T) {
	tests := map[string]struct {
		kind      refusalKind
		times     int
		do        func(r *refusals)
		wantHolds bool
		wantLater time.Duration // after which growth ends it
	}{
		"want of room ends when the target's room grows": {kind: forRoom, times: 1, do: func(r *refusals) { r.grown("cloud") }},
		"a rule does not":                                          {kind: byRule, times: 1, do: func(r *refusals) { r.grown("cloud") }, wantHolds: true},
		"another target's room does not matter":                    {kind: forRoom, times: 1, do: func(r *refusals) { r.grown("heata") }, wantHolds: true},
		"both end when the Target changes":                         {kind: byRule, times: 1, do: func(r *refusals) { r.dropTarget("cloud") }},
		"the second want of room in a row holds for a second":      {kind: forRoom, times: 2, do: func(r *refusals) { r.grown("cloud") }, wantHolds: true, wantLater: time.Second},
		"the fourth for four":                                      {kind: forRoom, times: 4, do: func(r *refusals) { r.grown("cloud") }, wantHolds: true, wantLater: 4 * time.Second},
		"the tenth no longer than the first would without growth":  {kind: forRoom, times: 10, do: func(r *refusals) { r.grown("cloud") }, wantHolds: true, wantLater: refusalBase},
		"a pod that was taken ends it for all":                     {kind: byRule, times: 3, do: func(r *refusals) { r.taken("cloud", web, "b", r.clock.Now()) }},
		"one that was asked about before the refusal says nothing": {kind: byRule, times: 3, do: func(r *refusals) { r.taken("cloud", web, "b", noon.Add(-time.Second)) }, wantHolds: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, clock := newTestRefusals()
			for i := range test.times {
				pause := r.add("cloud", ofShape(web), "a", test.kind, "no")
				if i+1 < test.times {
					clock.SetTime(clock.Now().Add(pause))
				}
			}
			test.do(r)
			assert.Equal(t, test.wantHolds, holds(r, "cloud", web, "a"))
			if test.wantLater > 0 {
				clock.SetTime(clock.Now().Add(test.wantLater - time.Nanosecond))
				assert.True(t, holds(r, "cloud", web, "a"))
				clock.SetTime(clock.Now().Add(time.Nanosecond))
				assert.False(t, holds(r, "cloud", web, "a"))
			}
		})
	}
}

func TestWhenARefusalIsOverOnePodAsksAndTheOthersStandBack(t *testing.T) {
	r, clock := newTestRefusals()
	clock.SetTime(noon.Add(r.add("cloud", ofShape(web), "a", byRule, "no")))
	r.claim("cloud", web, "b")
	r.claim("cloud", web, "c")
	assert.False(t, holds(r, "cloud", web, "b"))
	assert.True(t, holds(r, "cloud", web, "c"))
	r.release("cloud", web, "c")
	assert.True(t, holds(r, "cloud", web, "c"), "it was not the one that asks")
	r.release("cloud", web, "b")
	assert.False(t, holds(r, "cloud", web, "c"), "nobody asks any more")

	r.claim("cloud", web, "b")
	assert.True(t, r.taken("cloud", web, "b", clock.Now()), "so that those that stood back can be woken")
	assert.False(t, holds(r, "cloud", web, "c"))
	r.claim("cloud", web, "d")
	assert.False(t, holds(r, "cloud", web, "c"), "after a yes nobody stands back")
	assert.True(t, r.recent("cloud", web))
	clock.SetTime(clock.Now().Add(refusalMax))
	assert.False(t, r.recent("cloud", web))
	assert.Equal(t, refusalBase, r.add("cloud", ofShape(web), "a", byRule, "no"), "it begins anew")
}

func TestRefusalsAreNotRememberedForEver(t *testing.T) {
	r, clock := newTestRefusals()
	r.add("cloud", ofShape(web), "a", forRoom, "no room")
	clock.SetTime(noon.Add(refusalBase + refusalMax))
	r.add("cloud", ofShape(jobs), "b", forRoom, "no room")
	assert.Equal(t, 2, r.kept, "a shape that comes back soon still finds its count")
	clock.SetTime(noon.Add(2*refusalMax + refusalBase + time.Second))
	r.add("cloud", ofShape(jobs), "b", forRoom, "no room")
	assert.Equal(t, 1, r.kept)
}

func TestTheMemoryIsBounded(t *testing.T) {
	r, _ := newTestRefusals()
	for i := range refusalsKept + 10 {
		r.add("cloud", ofPod(types.UID(fmt.Sprint(i))), "a", forRoom, "no room")
	}
	kept := 0
	for _, said := range r.byTarget {
		kept += len(said)
	}
	assert.Equal(t, kept, r.kept)
	assert.LessOrEqual(t, kept, refusalsKept)
	assert.Greater(t, kept, refusalsKept/4)
}
