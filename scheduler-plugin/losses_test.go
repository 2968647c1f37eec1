package schedulerplugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

// fate is what becomes of a pod that is sent to the target cloud.
type fate struct {
	pod   types.UID
	after time.Duration
	do    func(l *losses, pod types.UID)
}

func deleted(pod types.UID, after time.Duration) fate {
	return fate{pod, after, func(l *losses, pod types.UID) { l.lose("cloud", pod) }}
}

func finished(pod types.UID, after time.Duration) fate {
	return fate{pod, after, func(l *losses, pod types.UID) { l.end("cloud", pod) }}
}

func removed(pod types.UID, after time.Duration) fate {
	return fate{pod, after, func(l *losses, pod types.UID) { l.unreserve("cloud", pod) }}
}

func lives(pod types.UID) fate { return fate{pod, lossSoon, func(*losses, types.UID) {}} }

func TestATargetThatDeletesDelegatesIsNotUsedForAWhile(t *testing.T) {
	soon := 2*time.Second - time.Millisecond
	tests := map[string]struct {
		fates []fate // one after the other
		want  string // for another pod; "" when the target is used
	}{
		"nothing is known of a target":               {},
		"two losses are bad luck":                    {fates: []fate{deleted("a", soon), deleted("b", soon)}},
		"three in a row are not":                     {fates: []fate{deleted("a", soon), deleted("b", time.Second), deleted("c", soon)}, want: "deleted the last 3 delegates within 2s of their start: not used until 12:00:34 UTC"},
		"three with one that ended well between":     {fates: []fate{deleted("a", soon), deleted("b", soon), finished("c", soon), deleted("d", soon)}},
		"three with one that lived on between":       {fates: []fate{deleted("a", soon), deleted("b", soon), lives("c"), deleted("d", soon)}},
		"a user's own deletion between says nothing": {fates: []fate{deleted("a", soon), deleted("b", soon), removed("c", soon), deleted("d", time.Second)}, want: "deleted the last 3 delegates"},
		"losses of pods that had run for long":       {fates: []fate{deleted("a", lossSoon), deleted("b", lossSoon), deleted("c", time.Hour)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(noon)
			l := newLosses(clock)
			for _, f := range test.fates {
				l.keep("cloud", f.pod)
				clock.SetTime(clock.Now().Add(f.after))
				f.do(l, f.pod)
			}
			if got := l.reason("cloud", "next"); test.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, test.want)
			}
			assert.Empty(t, l.reason("heata", "next"), "another target has nothing to do with it")
		})
	}
}

// givenUp is a target that has just deleted three delegates.
func givenUp(t *testing.T) (*losses, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(noon)
	l := newLosses(clock)
	for _, pod := range []types.UID{"a", "b", "early", "c"} {
		l.keep("cloud", pod)
		if pod != "early" {
			l.lose("cloud", pod)
		}
	}
	require.NotEmpty(t, l.reason("cloud", "next"))
	return l, clock
}

func TestAfterThePauseOnePodIsOnTrial(t *testing.T) {
	tests := map[string]struct {
		then func(l *losses, clock *clocktesting.FakePassiveClock)
		want string // for another pod
	}{
		"the others wait meanwhile": {func(*losses, *clocktesting.FakePassiveClock) {}, "within 1s of their start: one pod is on trial there"},
		"it is deleted as well: twice the pause": {func(l *losses, _ *clocktesting.FakePassiveClock) {
			pause, lost := l.lose("cloud", "trial")
			assert.Equal(t, 2*lossBase, pause)
			assert.Equal(t, 4, lost)
		}, "deleted the last 4 delegates within 1s of their start: not used until 12:01:30 UTC"},
		"it lives: all may go": {func(_ *losses, clock *clocktesting.FakePassiveClock) { clock.SetTime(clock.Now().Add(lossSoon)) }, ""},
		"it ends well: all may go": {func(l *losses, _ *clocktesting.FakePassiveClock) {
			assert.True(t, l.end("cloud", "trial"), "so that others are woken")
		}, ""},
		"its user deletes it: another may go":               {func(l *losses, _ *clocktesting.FakePassiveClock) { assert.True(t, l.unreserve("cloud", "trial")) }, ""},
		"one that went there before is lost: that is known": {func(l *losses, _ *clocktesting.FakePassiveClock) { l.lose("cloud", "early") }, "one pod is on trial"},
		"one that went there before ends: that is past":     {func(l *losses, _ *clocktesting.FakePassiveClock) { assert.False(t, l.end("cloud", "early")) }, "one pod is on trial"},
		"its Target is changed: it gets another chance":     {func(l *losses, _ *clocktesting.FakePassiveClock) { l.forget("cloud") }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, clock := givenUp(t)
			clock.SetTime(noon.Add(lossBase))
			require.Empty(t, l.reason("cloud", "trial"))
			l.reserve("cloud", "trial")
			require.Empty(t, l.reason("cloud", "trial"), "it may go on")
			require.True(t, l.keep("cloud", "trial"))
			test.then(l, clock)
			if got := l.reason("cloud", "next"); test.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, test.want)
			}
		})
	}
}

func TestThePauseDoublesUpToTenMinutes(t *testing.T) {
	l, clock := givenUp(t)
	var pauses []time.Duration
	for range 7 {
		clock.SetTime(clock.Now().Add(lossMax))
		l.reserve("cloud", "trial")
		l.keep("cloud", "trial")
		pause, _ := l.lose("cloud", "trial")
		pauses = append(pauses, pause)
	}
	m := time.Minute
	assert.Equal(t, []time.Duration{m, 2 * m, 4 * m, 8 * m, 10 * m, 10 * m, 10 * m}, pauses)
}

func TestLossesRememberOnlyYoungPods(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	l := newLosses(clock)
	for _, pod := range []types.UID{"a", "b", "c"} {
		l.keep("cloud", pod)
	}
	clock.SetTime(noon.Add(lossSoon))
	l.keep("cloud", "d")
	assert.Len(t, l.byTarget["cloud"].bound, 1)
}
