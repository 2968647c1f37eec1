package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// space is a namespace of a source that one scenario has to itself.
type space struct {
	*cluster
	t    *testing.T
	name string
}

// burst are the labels of a namespace that allows bursting.
var burst = map[string]string{v1alpha1.LabelBurst: v1alpha1.BurstEnabled}

// givenNamespace makes a namespace in a source, for as long as the scenario runs.
func givenNamespace(t *testing.T, in *cluster, labels map[string]string) *space {
	t.Helper()
	return givenNamespaceNamed(t, in, uniqueName("e2e"), labels)
}

func givenNamespaceNamed(t *testing.T, in *cluster, name string, labels map[string]string) *space {
	t.Helper()
	s := &space{cluster: in, t: t, name: name}
	_, err := s.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Labels: labels, Annotations: map[string]string{"scenario": t.Name()}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		err := s.kube.CoreV1().Namespaces().Delete(context.Background(), s.name, metav1.DeleteOptions{})
		require.NoError(t, ignoreNotFound(err))
	})
	s.expectUsable()
	return s
}

// expectUsable waits for what the API server wants before it takes pods.
func (s *space) expectUsable() {
	s.t.Helper()
	expectEventually(s.t, soon, "the namespace's service account", func(ctx context.Context) error {
		_, err := s.kube.CoreV1().ServiceAccounts(s.name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// givenPolicy places the namespace's pods, and waits until the controller goes by it.
func (s *space) givenPolicy(spec v1alpha1.PlacementPolicySpec) *v1alpha1.PlacementPolicy {
	s.t.Helper()
	policy := &v1alpha1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: uniqueName("policy")}, Spec: spec}
	require.NoError(s.t, s.client.Create(s.t.Context(), policy))
	expectEventually(s.t, soon, "the policy to be valid", func(ctx context.Context) error {
		return s.conditionOf(ctx, policy, func() []metav1.Condition { return policy.Status.Conditions },
			v1alpha1.ConditionValid, metav1.ConditionTrue, "")
	})
	return policy
}

// remoteOnly sends pods to the named targets, by cost; to any target when none is named.
func remoteOnly(names ...string) v1alpha1.PlacementPolicySpec {
	return v1alpha1.PlacementPolicySpec{
		Mode: v1alpha1.ModeRemoteOnly, Weights: &v1alpha1.Weights{Cost: 1}, TargetSelector: targetsNamed(names...),
	}
}

func targetsNamed(names ...string) *metav1.LabelSelector {
	if len(names) == 0 {
		return nil
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: v1alpha1.LabelTarget, Operator: metav1.LabelSelectorOpIn, Values: names},
	}}
}

func uniqueName(prefix string) string {
	return fmt.Sprintf("%s-%s", prefix, strings.ToLower(rand.String(6)))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
