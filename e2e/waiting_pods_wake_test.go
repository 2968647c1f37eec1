package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/retry"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// atOnce is how long a pod may wait after there is room for it, on a machine that is busy with other scenarios.
const atOnce = 3 * time.Second

func TestAWaitingPodIsBoundAtOnceWhenATargetHasRoom(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec  func(s *space, spec *v1alpha1.TargetSpec)
		given func(s *space)
		grow  func(s *space, target *v1alpha1.Target)
	}{
		"a pod ends there": {
			given: func(s *space) {
				s.createOther(spare, "big-1")
				s.createOther(spare, "big-2")
			},
			grow: func(s *space, _ *v1alpha1.Target) { s.deleteOther(spare, "big-1") },
		},
		"its quota is raised": {
			spec: func(s *space, spec *v1alpha1.TargetSpec) {
				spec.Capacity.From = v1alpha1.CapacityQuota
				spec.Namespaces.Mapping, spec.Namespaces.Name = v1alpha1.MappingFixed, s.name
			},
			given: func(s *space) { s.givenQuota(spare, cores("1")) },
			grow: func(s *space, _ *v1alpha1.Target) {
				require.NoError(s.t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
					quota, err := spare.kube.CoreV1().ResourceQuotas(s.name).Get(s.t.Context(), "small", metav1.GetOptions{})
					if err == nil {
						quota.Spec.Hard = cores("30")
						_, err = spare.kube.CoreV1().ResourceQuotas(s.name).Update(s.t.Context(), quota, metav1.UpdateOptions{})
					}
					return err
				}))
			},
		},
		"its declared room is raised": {
			spec: func(_ *space, spec *v1alpha1.TargetSpec) {
				spec.Capacity = v1alpha1.Capacity{From: v1alpha1.CapacityStatic, Static: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("8Gi")}}
			},
			grow: func(s *space, target *v1alpha1.Target) {
				s.changeTarget(target, func(spec *v1alpha1.TargetSpec) { spec.Capacity.Static[corev1.ResourceCPU] = resource.MustParse("30") })
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: there is one spare cluster
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("spare"))
			spare.givenNamespace(t, s.name)
			target := s.givenSpare(func(spec *v1alpha1.TargetSpec) {
				if test.spec != nil {
					test.spec(s, spec)
				}
			})
			if test.given != nil {
				test.given(s)
			}
			for i := range 40 { // of various shapes, none of which ever fits
				s.createElected(fmt.Sprintf("never-%d", i), requesting(fmt.Sprintf("%dm", 100000+i), ""))
			}
			s.createElected("waits", requesting("20", "1Gi"))
			s.expectUnschedulable("waits", "spare: ", "Insufficient cpu")
			time.Sleep(2 * time.Second) // until all has settled
			bound := s.whenBound("waits")

			start := time.Now()
			test.grow(s, target)

			select {
			case at := <-bound:
				t.Logf("bound %s after there was room", at.Sub(start).Round(time.Millisecond))
				assert.Less(t, at.Sub(start), atOnce)
			case <-time.After(soon):
				t.Fatalf("it waits: %s", describe(s.getPod("waits")))
			}
		})
	}
}

// whenBound tells when a pod was bound, by a watch: to ask again and again would be too late, and a load.
func (s *space) whenBound(name string) <-chan time.Time {
	s.t.Helper()
	events, err := s.kube.CoreV1().Pods(s.name).Watch(s.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	require.NoError(s.t, err)
	bound := make(chan time.Time, 1)
	go func() {
		defer events.Stop()
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Deleted && pod.Spec.NodeName != "" {
				bound <- time.Now()
				return
			}
		}
	}()
	return bound
}

// createOther makes a pod of somebody else's in a target, with 20 cores, and waits until it has a node.
func (s *space) createOther(in *cluster, name string) {
	s.t.Helper()
	template := podTemplate(requesting("20", ""))
	_, err := in.kube.CoreV1().Pods(s.name).Create(s.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: template.Spec}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	expectEventually(s.t, soon, name+" to have a node", func(ctx context.Context) error {
		pod, err := in.kube.CoreV1().Pods(s.name).Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.Spec.NodeName == "" {
			err = fmt.Errorf("%s", describe(pod))
		}
		return err
	})
}

func (s *space) deleteOther(in *cluster, name string) {
	s.t.Helper()
	require.NoError(s.t, in.kube.CoreV1().Pods(s.name).Delete(s.t.Context(), name, *metav1.NewDeleteOptions(0)))
}

func cores(text string) corev1.ResourceList {
	return corev1.ResourceList{"requests.cpu": resource.MustParse(text), "requests.memory": resource.MustParse("100Gi")}
}
