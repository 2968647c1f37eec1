package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestOfTwoGroupsThatFitOnlyOneAtATimeOneGoesAndTheOtherFollowsWhenItEnds(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name))

	for i := range 4 { // interleaved
		for _, group := range []string{"first", "second"} {
			s.createElected(fmt.Sprintf("%s-%d", group, i), requesting("6", ""), inGroup(group, 4))
		}
	}

	var winner, loser string
	expectEventually(t, late, "one of the groups to run", func(ctx context.Context) error {
		for _, group := range []string{"first", "second"} {
			pods, err := s.kube.CoreV1().Pods(s.name).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelGroup + "=" + group})
			if err != nil {
				return err
			}
			n := 0
			for i := range pods.Items {
				if running(&pods.Items[i]) {
					n++
				}
			}
			if n == 4 {
				winner = group
			} else {
				loser = group
			}
			if n != 0 && n != 4 {
				return fmt.Errorf("group %s has %d running", group, n)
			}
		}
		if winner == "" || loser == "" {
			return fmt.Errorf("running: %q", winner)
		}
		return nil
	})
	s.expectUnschedulable(loser+"-0", "heata: 0 of 4 pods of the group fit")
	require.NoError(t, s.kube.CoreV1().Pods(s.name).DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: v1alpha1.LabelGroup + "=" + winner}))
	assert.Equal(t, onlyOnTarget(heata.name, 4), s.groupPlaces(loser, 4))
}

func TestTenGroupsAtOnceEachGoWhole(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	toHeata, toCloud := s.noteDelegates(heata), s.noteDelegates(cloud)

	// None may be split, and none be tried twice.
	for g := range 10 {
		s.createGroup(fmt.Sprintf("g%d", g), 4, requesting("1", ""))
	}

	for g := range 10 {
		assert.Len(t, s.groupPlaces(fmt.Sprintf("g%d", g), 4), 1, "group g%d", g)
	}
	assert.Len(t, append(toHeata.list(), toCloud.list()...), 40)
}
