package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestANamespaceThatMayNotBeCreatedInTheTargetIsAskedFor(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	s.givenSpare(func(spec *v1alpha1.TargetSpec) { spec.Namespaces.Create = false })

	s.createElected("homeless")

	s.expectUnschedulable("homeless", "spare: refused it ", "no namespace "+s.name, "create it there, or set spec.namespaces.create")
	_, err := spare.kube.CoreV1().Namespaces().Get(t.Context(), s.name, metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "it was not created: %v", err)
	spare.givenNamespace(t, s.name)
	expectEventually(t, late, "the pod to run", s.allRunning(1)) // the refusal is remembered for a while
}

func TestTheFirstPodOfANamespaceCreatesItWhereItMay(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	s.createElected("first", captureHeat)

	s.expectRunningOn("first", heata.name)
	namespace, err := heata.kube.CoreV1().Namespaces().Get(t.Context(), s.name, metav1.GetOptions{})
	if assert.NoError(t, err) {
		assert.Equal(t, s.uid, namespace.Labels[v1alpha1.LabelSourceCluster])
	}
}
