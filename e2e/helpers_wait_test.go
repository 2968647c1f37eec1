package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// How long a scenario waits: what happens at once gets soon, because the machine may be busy with seven other scenarios;
// what has a timeout of its own in Spillway or Kubernetes gets late.
const (
	soon = 45 * time.Second
	late = 90 * time.Second

	pollInterval = 100 * time.Millisecond
)

// expectEventually fails the scenario when check does not return nil in time, and says why it last did not.
func expectEventually(t testing.TB, within time.Duration, what string, check func(ctx context.Context) error) {
	t.Helper()
	last := errors.New("never asked")
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, within, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		return last == nil, nil
	})
	require.NoError(t, err, "waited %s for %s: %v", within, what, last)
}

// expectThroughout fails the scenario when check returns an error meanwhile.
func expectThroughout(t *testing.T, during time.Duration, what string, check func(ctx context.Context) error) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, during, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		return false, err
	})
	require.True(t, wait.Interrupted(err), "expected %s: %v", what, err)
}

// conditionOf reads an object again and compares one of its conditions; an empty reason is any.
func (c *cluster) conditionOf(ctx context.Context, object client.Object, conditions func() []metav1.Condition,
	kind string, status metav1.ConditionStatus, reason string) error {
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	found := meta.FindStatusCondition(conditions(), kind)
	switch {
	case found == nil:
		return fmt.Errorf("%s has no condition %s yet", object.GetName(), kind)
	case found.Status != status || reason != "" && found.Reason != reason:
		return fmt.Errorf("%s: condition %s is %s, reason %s: %s", object.GetName(), kind, found.Status, found.Reason, found.Message)
	case found.ObservedGeneration != object.GetGeneration():
		return fmt.Errorf("%s: condition %s is of generation %d, not %d", object.GetName(), kind, found.ObservedGeneration, object.GetGeneration())
	}
	return nil
}

// containsAll returns an error that names what is missing in text.
func containsAll(text string, parts ...string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("%q is not in %q", part, text)
		}
	}
	return nil
}
