package schedulerplugin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// handle is the scheduler as the plugin uses it.
type handle struct {
	fwk.Handle
	client    kubernetes.Interface
	activated chan map[string]*corev1.Pod
}

func (h *handle) ClientSet() kubernetes.Interface { return h.client }

func (h *handle) Activate(_ klog.Logger, pods map[string]*corev1.Pod) { h.activated <- pods }

type policySource struct{ err error }

func (s policySource) For(*corev1.Pod) (*placement.Policy, error) {
	if s.err != nil {
		return nil, s.err
	}
	return placement.BuiltIn(), nil
}

func newPlugin(t *testing.T, namespaces map[string]labels.Set) (*Plugin, *clocktesting.FakePassiveClock) {
	t.Helper()
	clock := clocktesting.NewFakePassiveClock(noon)
	p := New(Options{SourceCluster: "here", Registry: &target.Registry{}, Policies: policySource{}, Aliases: true, Clock: clock,
		Namespaces: func(name string) (labels.Set, bool) {
			set, ok := namespaces[name]
			return set, ok
		}})
	p.handle = &handle{activated: make(chan map[string]*corev1.Pod, 10)}
	return p, clock
}

// newTarget is a target whose API server answers as the test says. Nothing in it is started.
func newTarget(t *testing.T, spec v1alpha1.TargetSpec, answer http.HandlerFunc) *target.Target {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	made, err := target.New(target.Options{
		Object:        &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}, Spec: spec},
		SourceCluster: "here", Config: &rest.Config{Host: server.URL, QPS: -1}, Notify: func(string) {},
	})
	require.NoError(t, err)
	return made
}

func electedPod(change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1",
		Annotations: map[string]string{v1alpha1.AnnotationElect: ""},
		Labels:      map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue}}}
	for _, do := range change {
		do(pod)
	}
	return pod
}
