package follow

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

const (
	sourceCluster = "c1"
	targetSpace   = "bursts"
)

// target is a cluster that counts what is asked of it.
type target struct {
	*fake.Clientset
	name string
}

func (t *target) Name() string { return t.name }

func (t *target) Client() kubernetes.Interface { return t.Clientset }

var uids atomic.Int64

func newTarget(name string, objects ...runtime.Object) *target {
	t := &target{fake.NewClientset(objects...), name}
	// An API server gives UIDs; the fake does not.
	t.PrependReactor("create", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		made := a.(clienttesting.CreateAction).GetObject().(metav1.Object)
		made.SetUID(types.UID(fmt.Sprintf("uid-%d", uids.Add(1))))
		return false, nil, nil
	})
	return t
}

// fails makes a verb on all resources fail; a nil answer lets the call through.
func (t *target) fails(verb string, answer func() error) {
	t.PrependReactor(verb, "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		err := answer()
		return err != nil, nil, err
	})
}

var errDown = errors.New("connection refused")

// down makes a verb fail until the function that it returns is called.
func (t *target) down(verb string) (up func()) {
	var isUp atomic.Bool
	t.fails(verb, func() error {
		if isUp.Load() {
			return nil
		}
		return errDown
	})
	return func() { isUp.Store(true) }
}

// calls returns the verbs of all calls since the last time.
func (t *target) calls() []string {
	verbs := []string{}
	for _, action := range t.Actions() {
		verbs = append(verbs, action.GetVerb())
	}
	t.ClearActions()
	return verbs
}

func (t *target) configMap(tb testing.TB, name string) *corev1.ConfigMap {
	tb.Helper()
	shipped := delegate.ShippedName(sourceCluster, "default", name)
	found, err := t.Tracker().Get(corev1.SchemeGroupVersion.WithResource("configmaps"), targetSpace, shipped)
	require.NoError(tb, err)
	return found.(*corev1.ConfigMap)
}

func (t *target) isEmpty() bool {
	list, err := t.Tracker().List(corev1.SchemeGroupVersion.WithResource("configmaps"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), targetSpace)
	return err == nil && len(list.(*corev1.ConfigMapList).Items) == 0
}

// inBubble runs a test in virtual time, with a follower of a source that has these objects.
func inBubble(t *testing.T, objects []runtime.Object, test func(t *testing.T, f *Follower, source *fake.Clientset)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		source := fake.NewClientset(objects...)
		f := start(t, source)
		test(t, f, source)
	})
}

func start(t *testing.T, source kubernetes.Interface) *Follower {
	f := New(Options{SourceCluster: sourceCluster, Source: source})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return f
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Data:       map[string]string{"key": value},
	}
}

func secret(name string, kind corev1.SecretType) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Data:       map[string][]byte{"key": []byte("value")}, Type: kind,
	}
}

func immutable(m *corev1.ConfigMap) *corev1.ConfigMap {
	yes := true
	m.Immutable = &yes
	return m
}

// shipped is what the copy of an object carries.
func shipped(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: targetSpace,
		Name:      delegate.ShippedName(sourceCluster, "default", name),
		Labels: map[string]string{
			v1alpha1.LabelSourceCluster: sourceCluster, v1alpha1.LabelSourceNamespace: "default", v1alpha1.LabelSourceName: name,
		},
		Annotations: map[string]string{"spillway.dev/source-name": name},
	}
}

func pod(uid string, edits ...func(*corev1.PodSpec)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: uid, UID: types.UID(uid)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
	}
	for _, edit := range edits {
		edit(&p.Spec)
	}
	return p
}

func usesConfigMap(name string, optional bool) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, corev1.EnvFromSource{
			ConfigMapRef: &corev1.ConfigMapEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: name}, Optional: &optional,
			},
		})
	}
}

func usesSecret(name string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, corev1.EnvFromSource{
			SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		})
	}
}

func pullsWith(name string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
}
