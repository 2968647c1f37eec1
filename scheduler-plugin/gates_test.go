package schedulerplugin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// nothingFollows is a follower of pods that reference nothing.
type nothingFollows struct{}

func (nothingFollows) Ensure(context.Context, *target.Target, string, *corev1.Pod) error { return nil }

func (nothingFollows) Release(context.Context, *target.Target, string, types.UID) {}

func TestOfManyPodsOfAShapeATargetRefusesOne(t *testing.T) {
	server := &recorded{code: 403}
	cloud := newTarget(t, v1alpha1.TargetSpec{}, server.ServeHTTP)
	p, _ := newPlugin(t, nil)
	p.Follow = nothingFollows{}
	results := make(chan error, 100)
	for i := range cap(results) {
		pod := electedPod(func(p *corev1.Pod) { p.Name, p.UID = fmt.Sprint("web-", i), types.UID(fmt.Sprint(i)) })
		go func() { results <- p.ask(t.Context(), &cycle{shape: web}, cloud, pod, &corev1.Pod{}) }()
	}
	for range cap(results) {
		require.ErrorContains(t, <-results, "refused the delegate", "each says it in the target's words")
	}
	assert.Len(t, server.calls, 1)
}

// asking is pods that enter a gate one after the other, and how many of them ask at once.
func asking(g *gates, pods int, answer func() bool, abreast bool) (most int) {
	now := 0
	for range pods {
		go func() {
			leave, err := g.enter(context.Background(), gateKey{shape: web, target: "cloud"}, func() error { return nil })
			if err != nil {
				return
			}
			now++
			most = max(most, now)
			time.Sleep(time.Second)
			now--
			leave(answer(), abreast)
		}()
		synctest.Wait() // so that the counters need no lock
	}
	time.Sleep(time.Minute)
	return most
}

func TestPodsOfAShapeAskOneByOneUntilOneIsTaken(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	tests := map[string]struct {
		answer  func() bool
		abreast bool
		before  func(g *gates)
		want    int
	}{
		"a target that always says no is asked one by one":        {answer: no, abreast: true, want: 1},
		"one that said no not long ago as well, whatever it says": {answer: yes, abreast: false, want: 1},
		"one that has taken such a pod is asked side by side":     {answer: yes, abreast: true, before: func(g *gates) { asking(g, 1, yes, true) }, want: 10},
		"until it says no": {answer: yes, abreast: false, before: func(g *gates) { asking(g, 1, yes, true); asking(g, 1, no, true) }, want: 1},
		"and one that was forgotten, since its Target has changed": {answer: no, abreast: true, before: func(g *gates) { asking(g, 1, yes, true); g.dropTarget("cloud") }, want: 1},
		"what another shape or target was told does not matter": {answer: no, abreast: true, before: func(g *gates) {
			g.try(gateKey{shape: jobs, target: "cloud"})
			g.try(gateKey{shape: web, target: "heata"})
		}, want: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGates(clock.RealClock{})
				if test.before != nil {
					test.before(g)
				}
				assert.Equal(t, test.want, asking(g, 10, test.answer, test.abreast))
			})
		})
	}
}

func TestAPodInLineGoesWhenItsTimeIsUp(t *testing.T) {
	g := newGates(clock.RealClock{})
	_, err := g.enter(t.Context(), gateKey{}, func() error { return nil })
	require.NoError(t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("did not schedule the delegate within 1s"))
	defer cancel()
	_, err = g.enter(ctx, gateKey{}, func() error { return nil })
	require.EqualError(t, err, "another pod like it still waited for the target's answer: did not schedule the delegate within 1s")
	assert.False(t, worthRemembering(err), "the target was not asked about this one")
}

func TestGatesThatNobodyUsesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(clock.RealClock{})
		asking(g, 1, func() bool { return true }, true)
		g.try(gateKey{shape: jobs}) // somebody asks still
		time.Sleep(2 * gateKept)
		g.try(gateKey{shape: shape{3}})
		assert.Len(t, g.byKey, 2)
	})
}
