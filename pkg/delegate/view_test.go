package delegate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

func isClusterKey(key string) bool {
	return delegate.IsClusterKey(key, map[string]string{region: "uk"})
}

func TestAVirtualNodeIsAskedOnlyAboutWhatItIs(t *testing.T) {
	pod := storedPod(t, webPod)
	pod.Spec.NodeSelector = map[string]string{region: "uk", "disk": "ssd"}
	pod.Spec.Affinity.NodeAffinity = required(term(in(region, "uk", "eu"), in("disk", "ssd"))).NodeAffinity
	before := pod.DeepCopy()

	got := delegate.ClusterView(pod, isClusterKey)

	assert.Equal(t, map[string]string{region: "uk"}, got.Spec.NodeSelector)
	assert.Empty(t, cmp.Diff(required(term(in(region, "uk", "eu"))).NodeAffinity, got.Spec.Affinity.NodeAffinity))
	terms := got.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if assert.Len(t, terms, 1) {
		assert.Equal(t, region, terms[0].TopologyKey)
	}
	if assert.Len(t, got.Spec.TopologySpreadConstraints, 1) {
		assert.Equal(t, v1alpha1.LabelTarget, got.Spec.TopologySpreadConstraints[0].TopologyKey)
	}
	assert.Empty(t, got.Spec.Volumes)
	assert.Empty(t, got.Spec.Containers[0].Ports, "two pods with one host port fit a target with two nodes")
	assert.Equal(t, pod.Spec.Containers[0].Resources, got.Spec.Containers[0].Resources)
	assert.Empty(t, cmp.Diff(before, pod), "the pod is not changed")
}

func TestAVirtualNodeToleratesElectedPodsAlone(t *testing.T) {
	pod := jobPod()
	pod.Spec.Tolerations = make([]corev1.Toleration, 0, 4)
	taint := &corev1.Taint{Key: v1alpha1.TaintProvider, Value: v1alpha1.TaintProviderValue, Effect: corev1.TaintEffectNoSchedule}

	first, second := delegate.ClusterView(pod, isClusterKey), delegate.ClusterView(pod, isClusterKey)
	first.Spec.Tolerations[0].Key = "changed"

	assert.Empty(t, pod.Spec.Tolerations)
	assert.Equal(t, taint.Key, second.Spec.Tolerations[0].Key, "views do not share what they add")
	assert.Equal(t, taint.Effect, second.Spec.Tolerations[0].Effect)
	assert.Equal(t, taint.Value, second.Spec.Tolerations[0].Value)
}

func TestAnAlternativeAboutNodesAloneAllowsEveryTarget(t *testing.T) {
	pod := jobPod()
	pod.Spec.Affinity = required(term(in(region, "eu")), term(in("disk", "ssd")))

	got := delegate.ClusterView(pod, isClusterKey)

	assert.Nil(t, got.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
}
