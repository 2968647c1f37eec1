package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// apiServer records requests and answers each with what the test wants: the mirror uses the REST client, which the fake
// clientset does not have.
type apiServer struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	code     int // of each answer to a write
	pods     []corev1.Pod
}

type request struct {
	Call string // method and path
	Body map[string]any
}

func newAPIServer(t *testing.T) *apiServer {
	s := &apiServer{code: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := request{Call: r.Method + " " + r.URL.Path}
	if data, _ := io.ReadAll(r.Body); len(data) > 0 {
		_ = json.Unmarshal(data, &seen.Body)
	}
	s.requests = append(s.requests, seen)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet && s.code == http.StatusOK {
		s.get(w, path.Base(r.URL.Path))
		return
	}
	w.WriteHeader(s.code)
	_ = json.NewEncoder(w).Encode(s.status())
}

// get answers with the pod of this name, or with all when the name is the resource's.
func (s *apiServer) get(w http.ResponseWriter, name string) {
	if name == "pods" {
		_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: s.pods})
		return
	}
	for _, pod := range s.pods {
		if pod.Name == name {
			pod.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
			_ = json.NewEncoder(w).Encode(pod)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Code: http.StatusNotFound,
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound})
}

func (s *apiServer) status() metav1.Status {
	status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Code: int32(s.code), Status: metav1.StatusFailure}
	switch s.code {
	case http.StatusOK:
		status.Status = metav1.StatusSuccess
	case http.StatusNotFound:
		status.Reason = metav1.StatusReasonNotFound
	case http.StatusConflict:
		status.Reason = metav1.StatusReasonConflict
	default:
		status.Reason = metav1.StatusReasonForbidden // not retried by the client
	}
	return status
}

func (s *apiServer) answerWith(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

// take returns the calls since the last time.
func (s *apiServer) take() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

func calls(requests []request) []string {
	var list []string
	for _, r := range requests {
		list = append(list, r.Call)
	}
	return list
}

type follower struct {
	fail     bool
	ensured  []string
	released []types.UID
}

func (f *follower) Ensure(_ context.Context, t *target.Target, namespace string, pod *corev1.Pod) error {
	f.ensured = append(f.ensured, t.Name()+" "+namespace+"/"+pod.Name)
	if f.fail {
		return errors.New("secrets is forbidden")
	}
	return nil
}

func (f *follower) Release(_ context.Context, _ *target.Target, _ string, uid types.UID) {
	f.released = append(f.released, uid)
}

// outcomes records what it hears.
type outcomes struct{ heard []string }

func (o *outcomes) DelegateLost(t *target.Target, source types.UID) {
	o.heard = append(o.heard, t.Name()+" lost "+string(source))
}

func (o *outcomes) DelegateEnded(t *target.Target, source types.UID) {
	o.heard = append(o.heard, t.Name()+" ended "+string(source))
}

// world is a mirror between two recorded API servers.
type world struct {
	mirror        *Mirror
	source, cloud *apiServer
	target        *target.Target
	follower      *follower
	outcomes      *outcomes
	events        chan string
}

func newWorld(t *testing.T) *world {
	w := &world{source: newAPIServer(t), cloud: newAPIServer(t), follower: &follower{}, outcomes: &outcomes{}}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: w.source.URL, QPS: -1})
	require.NoError(t, err)
	recorder := events.NewFakeRecorder(10)
	w.events = recorder.Events
	w.mirror, err = New(Options{Client: client, Registry: &target.Registry{}, Follow: w.follower, Outcomes: w.outcomes, Recorder: recorder,
		Clock: clocktesting.NewFakePassiveClock(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))})
	require.NoError(t, err)
	w.target, err = target.New(target.Options{
		Object:        &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}},
		SourceCluster: "here", Config: &rest.Config{Host: w.cloud.URL, QPS: -1}, Notify: func(string) {},
	})
	require.NoError(t, err)
	return w
}

// apply decides and does it.
func (w *world) apply(t *testing.T, p pair) (time.Duration, error) {
	t.Helper()
	p.target, p.synced = w.target, true
	p.bound = p.source != nil && p.source.Spec.NodeName == w.target.NodeName()
	return w.mirror.apply(t.Context(), p, decide(p))
}

func sourcePod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1", ResourceVersion: "7",
			Labels: map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue}},
		Spec:   corev1.PodSpec{NodeName: "spillway-cloud", Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}

func delegatePod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", UID: "remote-1", Labels: map[string]string{
			v1alpha1.LabelSourceCluster: "here", v1alpha1.LabelSourceNamespace: "shop", v1alpha1.LabelSourceName: "web", v1alpha1.LabelSourceUID: "uid-1",
			v1alpha1.LabelTarget: "cloud"}},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &metav1.Time{Time: time.Date(2026, 5, 1, 11, 0, 0, 0, time.UTC)},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "main", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}},
	}
}

func ending(pod *corev1.Pod, grace int64) *corev1.Pod {
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}, &grace
	return pod
}
