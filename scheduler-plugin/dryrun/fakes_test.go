package dryrun_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

const sourceCluster = "source-cluster"

// informer delivers events at once, so that tests never wait for one.
type informer struct {
	cache.SharedIndexInformer
	handler cache.ResourceEventHandler
}

func (i *informer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	i.handler = h
	return nil, nil
}

func (i *informer) add(obj any)         { i.handler.OnAdd(obj, false) }
func (i *informer) update(old, obj any) { i.handler.OnUpdate(old, obj) }
func (i *informer) remove(obj any)      { i.handler.OnDelete(obj) }

// source is a target without a cluster behind it.
type source struct {
	client      kubernetes.Interface
	pods, nodes *informer
	madeUp      *corev1.Node // of a target whose nodes are not watched
}

var _ dryrun.Source = (*source)(nil)

func (s *source) Name() string                    { return "cloud" }
func (s *source) Client() kubernetes.Interface    { return s.client }
func (s *source) Pods() cache.SharedIndexInformer { return s.pods }
func (s *source) UsableNodes() []*corev1.Node     { return []*corev1.Node{s.madeUp} }

func (s *source) Nodes() cache.SharedIndexInformer {
	if s.madeUp != nil {
		return nil
	}
	return s.nodes
}

func (s *source) NodeOf(pod *corev1.Pod) string {
	if s.madeUp != nil {
		return s.madeUp.Name
	}
	return pod.Spec.NodeName
}

func newCluster(t testing.TB, s *source, nodes ...*corev1.Node) *dryrun.Cluster {
	t.Helper()
	s.client, s.pods, s.nodes = fake.NewClientset(), &informer{}, &informer{}
	c, err := dryrun.New(t.Context(), s)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for _, n := range nodes {
		s.nodes.add(n)
	}
	return c
}

func node(name, cpu string, change ...func(*corev1.Node)) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(cpu),
		corev1.ResourceMemory: resource.MustParse("64Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{Capacity: room, Allocatable: room,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
	for _, do := range change {
		do(n)
	}
	return n
}

// stranger is a pod that somebody else runs in the target.
func stranger(name, node, cpu string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "theirs", Name: name, UID: types.UID("uid-" + name)},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}},
	}
	for _, do := range change {
		do(p)
	}
	return p
}

// delegate is a pod of ours before the target knows of it: without a UID of its own and without node.
func delegate(name, cpu string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := stranger(name, "", cpu)
	p.Namespace, p.UID = "ours", ""
	p.Labels = map[string]string{v1alpha1.LabelSourceCluster: sourceCluster, v1alpha1.LabelSourceUID: "source-of-" + name}
	for _, do := range change {
		do(p)
	}
	return p
}

// created is a delegate as the target's API server has it, on a node once its scheduler has chosen.
func created(p *corev1.Pod, node string) *corev1.Pod {
	c := p.DeepCopy()
	c.UID, c.Spec.NodeName = types.UID("remote-"+p.Name), node
	return c
}

func inPhase(p *corev1.Pod, phase corev1.PodPhase) *corev1.Pod {
	c := p.DeepCopy()
	c.Status.Phase = phase
	return c
}
