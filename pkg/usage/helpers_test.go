package usage

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	testclock "k8s.io/utils/clock/testing"
)

const second = uint64(time.Second)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// running is a source pod with one container, and its delegate on a node of the target.
func running(name, targetNode string) Pod {
	source := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("source-" + name)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}
	delegate := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "burst-shop", Name: name + "-1a2b3c", UID: types.UID("delegate-" + name)},
		Spec: corev1.PodSpec{NodeName: targetNode},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app",
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}}}}}
	return Pod{source, delegate}
}

// inNamespace moves a delegate.
func (p Pod) inNamespace(name string) Pod {
	p.Delegate.Namespace = name
	return p
}

// told is what a kubelet says of a pod with one container.
func told(name, uid string, used uint64) stats.PodStats {
	memory := uint64(1 << 20)
	return stats.PodStats{PodRef: stats.PodReference{Namespace: "burst-shop", Name: name, UID: uid},
		CPU:    &stats.CPUStats{Time: metav1.NewTime(noon), UsageCoreNanoSeconds: &used},
		Memory: &stats.MemoryStats{Time: metav1.NewTime(noon), WorkingSetBytes: &memory},
		Containers: []stats.ContainerStats{{Name: "app", StartTime: metav1.NewTime(noon),
			CPU: &stats.CPUStats{Time: metav1.NewTime(noon), UsageCoreNanoSeconds: &used}}}}
}

// fakeTarget is a target's API server that has these answers by path, 404 for others, and notes what it was asked.
type fakeTarget struct {
	mu      sync.Mutex
	answers map[string]any // a code, or what is encoded
	asked   []string
}

func (f *fakeTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.URL.RequestURI())
	w.Header().Set("Content-Type", "application/json")
	switch answer := f.answers[r.URL.Path].(type) {
	case nil:
		w.WriteHeader(http.StatusNotFound)
	case int:
		w.WriteHeader(answer)
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (f *fakeTarget) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = nil
}

func (f *fakeTarget) start(t *testing.T) rest.Interface {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL + "/clusters/c1", QPS: -1})
	require.NoError(t, err)
	return client.CoreV1().RESTClient()
}

// newReader reads of these pods in the target.
func newReader(t *testing.T, target *fakeTarget, pods ...Pod) (*Reader, *testclock.FakePassiveClock) {
	t.Helper()
	now := testclock.NewFakePassiveClock(noon)
	place := Place{Target: "heata", Client: target.start(t), Selector: "spillway.dev/target=heata", Pods: pods}
	return New(Options{NodeName: "spillway-heata", Clock: now, Place: func() (Place, bool) { return place, true }}), now
}

// logLines collects what is logged.
type logLines struct{ lines []string }

func (l *logLines) context(ctx context.Context) context.Context {
	return logr.NewContext(ctx, funcr.New(func(_, line string) { l.lines = append(l.lines, line) }, funcr.Options{}))
}

func (l *logLines) count(part string) (n int) {
	for _, line := range l.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
