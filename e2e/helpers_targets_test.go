package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// secretKey is where the scenarios' kubeconfigs are in their Secrets.
const secretKey = "kubeconfig"

// spareInUse keeps scenarios from making two Targets of one cluster.
var spareInUse sync.Mutex

// givenSpare makes a Target of the cluster spare, which only the space's pods may use. It goes with the scenario.
func (s *space) givenSpare(change func(spec *v1alpha1.TargetSpec)) *v1alpha1.Target {
	s.t.Helper()
	spareInUse.Lock()
	s.t.Cleanup(spareInUse.Unlock)
	s.emptySpare()
	spec := v1alpha1.TargetSpec{
		KubeconfigSecretRef: s.givenKubeconfig(spare.kubeconfig(s.t)),
		Namespaces:          v1alpha1.NamespaceMapping{Create: true, Selector: s.selector()},
	}
	if change != nil {
		change(&spec)
	}
	target := s.givenTarget(spare.name, spec)
	s.expectOpen(target)
	return target
}

// emptySpare removes what the last scenario has left there: scores depend on the room that is left.
func (s *space) emptySpare() {
	s.t.Helper()
	expectEventually(s.t, late, "the cluster spare to be empty", func(ctx context.Context) error {
		left, err := spare.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "metadata.namespace!=" + s.name})
		if err != nil || len(left.Items) == 0 {
			return err
		}
		for _, pod := range left.Items {
			err = errors.Join(err, ignoreNotFound(spare.kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0))))
		}
		return errors.Join(err, fmt.Errorf("%d pods were left, one is %s/%s", len(left.Items), left.Items[0].Namespace, left.Items[0].Name))
	})
}

// expectOpen waits until pods may go to a Target: its virtual node is born with a taint, as any node is.
func (s *space) expectOpen(target *v1alpha1.Target) {
	s.t.Helper()
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	expectEventually(s.t, soon, "the virtual node to be open", func(ctx context.Context) error {
		node, err := s.kube.CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName(target.Name), metav1.GetOptions{})
		if err == nil && (nodeReady(node) != corev1.ConditionTrue || len(node.Spec.Taints) != 1) {
			err = fmt.Errorf("taints %v, conditions %+v", node.Spec.Taints, node.Status.Conditions)
		}
		return err
	})
}

// selector matches the space's namespace alone.
func (s *space) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.name}}
}

// givenKubeconfig puts a kubeconfig into a Secret and returns where.
func (s *space) givenKubeconfig(kubeconfig []byte) *v1alpha1.KubeconfigSecretRef {
	s.t.Helper()
	secret, err := s.kube.CoreV1().Secrets(s.name).Create(s.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: uniqueName("kubeconfig")}, Data: map[string][]byte{secretKey: kubeconfig},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return &v1alpha1.KubeconfigSecretRef{Namespace: s.name, Name: secret.Name, Key: secretKey}
}

// givenTarget makes a Target, which goes with the scenario: whatever its state, it must be possible to remove it.
func (s *space) givenTarget(name string, spec v1alpha1.TargetSpec) *v1alpha1.Target {
	s.t.Helper()
	target := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	require.NoError(s.t, s.client.Create(s.t.Context(), target))
	s.t.Cleanup(func() {
		require.NoError(s.t, ignoreNotFound(s.client.Delete(context.Background(), target)))
		// The scenario's context is over.
		t := &lasting{TB: s.t}
		expectEventually(t, late, "Target "+name+" to be gone", func(ctx context.Context) error {
			return s.isGone(ctx, target)
		})
	})
	return target
}

func (s *space) isGone(ctx context.Context, object client.Object) error {
	err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if target, ok := object.(*v1alpha1.Target); ok && err == nil {
		return fmt.Errorf("it is there, deletion asked for at %v, %d pods: %v", target.DeletionTimestamp, target.Status.Pods, target.Status.Conditions)
	}
	return fmt.Errorf("it is there: %w", err)
}

// expectTarget waits for a condition of a Target, and returns it.
func (s *space) expectTarget(target *v1alpha1.Target, kind string, status metav1.ConditionStatus, reason string) {
	s.t.Helper()
	expectEventually(s.t, late, fmt.Sprintf("Target %s to be %s=%s %s", target.Name, kind, status, reason), func(ctx context.Context) error {
		return s.conditionOf(ctx, target, func() []metav1.Condition { return target.Status.Conditions }, kind, status, reason)
	})
}

// changeTarget changes a Target's spec and waits until the controller has seen it.
func (s *space) changeTarget(target *v1alpha1.Target, change func(spec *v1alpha1.TargetSpec)) {
	s.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := s.client.Get(s.t.Context(), client.ObjectKeyFromObject(target), target); err != nil {
			return err
		}
		change(&target.Spec)
		return s.client.Update(s.t.Context(), target)
	})
	require.NoError(s.t, err)
	expectEventually(s.t, soon, "the change of Target "+target.Name+" to be seen", func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(target), target); err != nil {
			return err
		}
		if target.Status.ObservedGeneration != target.Generation {
			return fmt.Errorf("generation %d was seen, not yet %d", target.Status.ObservedGeneration, target.Generation)
		}
		return nil
	})
}

// priced gives a Target a price of a core hour and a carbon intensity.
func priced(cpuCoreHour, gramsPerKWh string) func(spec *v1alpha1.TargetSpec) {
	return func(spec *v1alpha1.TargetSpec) {
		spec.Price = &v1alpha1.Price{Currency: "GBP", CPUCoreHour: resource.MustParse(cpuCoreHour)}
		spec.Carbon = &v1alpha1.Carbon{GramsPerKWh: resource.MustParse(gramsPerKWh)}
	}
}

// lasting is a test whose context does not end before its clean-up.
type lasting struct{ testing.TB }

func (*lasting) Context() context.Context { return context.Background() }
