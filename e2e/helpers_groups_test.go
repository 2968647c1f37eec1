package e2e

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// inGroup makes a pod one of a group of so many.
func inGroup(name string, size int) change {
	return func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) {
		metav1.SetMetaDataLabel(meta, v1alpha1.LabelGroup, name)
		metav1.SetMetaDataAnnotation(meta, v1alpha1.AnnotationGroupSize, strconv.Itoa(size))
	}
}

// createGroup submits all pods of a group, NAME-0 and so on.
func (s *space) createGroup(name string, size int, changes ...change) {
	s.t.Helper()
	for i := range size {
		s.createElected(fmt.Sprintf("%s-%d", name, i), append(changes, inGroup(name, size))...)
	}
}

// groupPlaces waits until so many pods whose names begin with the group's run, and returns how many are on each node.
func (s *space) groupPlaces(name string, size int) map[string]int {
	s.t.Helper()
	var places map[string]int
	expectEventually(s.t, late, fmt.Sprintf("%d running pods of group %s", size, name), func(ctx context.Context) error {
		pods, err := s.kube.CoreV1().Pods(s.name).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelGroup + "=" + name})
		if err != nil {
			return err
		}
		places = map[string]int{}
		for i := range pods.Items {
			if !running(&pods.Items[i]) {
				return fmt.Errorf("%s", describe(&pods.Items[i]))
			}
			places[pods.Items[i].Spec.NodeName]++
		}
		if len(pods.Items) != size {
			return fmt.Errorf("there are %d pods", len(pods.Items))
		}
		return nil
	})
	return places
}

// onlyOnTarget is what groupPlaces returns for a group that is whole.
func onlyOnTarget(target string, size int) map[string]int {
	return map[string]int{v1alpha1.VirtualNodeName(target): size}
}

// sent notes every delegate that a target gets from now on, even one that is gone a moment later.
type sent struct {
	mu    sync.Mutex
	names []string
}

func (s *space) noteDelegates(in *cluster) *sent {
	s.t.Helper()
	found := &sent{}
	selector := v1alpha1.LabelSourceCluster + "=" + s.uid + "," + v1alpha1.LabelSourceNamespace + "=" + s.name
	w, err := in.kube.CoreV1().Pods(metav1.NamespaceAll).Watch(s.t.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(s.t, err)
	s.t.Cleanup(w.Stop)
	go func() {
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Added {
				found.mu.Lock()
				found.names = append(found.names, pod.Name)
				found.mu.Unlock()
			}
		}
	}()
	return found
}

func (f *sent) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.names...)
}

// givenFiller takes room on one node of a target, as somebody else's pod would.
func (s *space) givenFiller(in *cluster, cpu string) *corev1.Pod {
	s.t.Helper()
	template := podTemplate(requesting(cpu, ""))
	filler, err := in.kube.CoreV1().Pods(metav1.NamespaceDefault).Create(s.t.Context(),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("filler")}, Spec: template.Spec}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { removeFiller(s, in, filler.Name) })
	expectEventually(s.t, soon, "the filler to have a node", func(ctx context.Context) error {
		now, err := in.kube.CoreV1().Pods(filler.Namespace).Get(ctx, filler.Name, metav1.GetOptions{})
		if err == nil && now.Spec.NodeName == "" {
			err = fmt.Errorf("%s", describe(now))
		}
		return err
	})
	return filler
}

func removeFiller(s *space, in *cluster, name string) {
	err := in.kube.CoreV1().Pods(metav1.NamespaceDefault).Delete(context.Background(), name, metav1.DeleteOptions{})
	require.NoError(s.t, ignoreNotFound(err))
}
