package mirror

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyPodsThatAreNotElectedAreStrays(t *testing.T) {
	elected, daemon, local := sourcePod(), sourcePod(), sourcePod()
	daemon.Labels, local.Labels, local.Spec.NodeName = nil, nil, "worker-1"
	assert.False(t, isStray(elected))
	assert.True(t, isStray(daemon))
	assert.False(t, isStray(local))
}

func TestAStrayIsToldOnceWhyItWaitsAndItsDeletionEnds(t *testing.T) {
	w := newWorld(t)
	w.mirror.Registry.Add(w.target)
	stray := sourcePod()
	stray.Labels = nil
	client := fake.NewClientset(stray)
	factory := informers.NewSharedInformerFactory(client, 0)
	require.NoError(t, w.mirror.WatchStrays(factory.Core().V1().Pods().Informer()))
	factory.Start(t.Context().Done())
	next := func() {
		t.Helper()
		uid, _ := w.mirror.queue.Get()
		_, err := w.mirror.reconcile(t.Context(), uid)
		require.NoError(t, err)
		w.mirror.queue.Done(uid)
	}
	change := func(pod *corev1.Pod) {
		t.Helper()
		require.NoError(t, client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("pods"), pod, pod.Namespace))
	}

	next()
	assert.Contains(t, <-w.events, "Warning NotElected not sent to target cloud: nobody has elected this pod")
	assert.Empty(t, w.source.take(), "it is neither run nor failed")

	changed := stray.DeepCopy()
	changed.Labels = map[string]string{"app": "agent"}
	change(changed)
	change(ending(changed.DeepCopy(), 30))
	next()
	assert.Equal(t, []string{"DELETE /api/v1/namespaces/shop/pods/web"}, calls(w.source.take()))
	assert.Empty(t, w.events, "it was told already")
}
