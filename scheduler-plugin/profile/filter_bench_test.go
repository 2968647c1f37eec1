package profile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/policies"
)

const (
	benchTargets = 100
	benchNodes   = 100 // of each target
)

// BenchmarkFilterFirst is all filtering of a pod like none before over 100 targets of 100 nodes, 20 % of them full.
func BenchmarkFilterFirst(b *testing.B) {
	w := newBenchWorld(b)
	w.measure(b, func(i int) *corev1.Pod { return benchPod(i, fmt.Sprintf("%dm", 500+i%1000)) })
}

// BenchmarkFilterAlike is the same for one more of a thousand identical pods, each of which takes room before the next.
func BenchmarkFilterAlike(b *testing.B) {
	w := newBenchWorld(b)
	for i := range 1000 {
		w.place(b, benchPod(-1-i, "500m"))
	}
	w.measure(b, func(i int) *corev1.Pod { return benchPod(i, "500m") })
}

// benchWorld is the scheduler's own framework with our profile, over the virtual nodes of targets whose caches are real
// informers, fed over HTTP.
type benchWorld struct {
	framework framework.Framework
	nodes     []fwk.NodeInfo
}

func newBenchWorld(b *testing.B) *benchWorld {
	b.Helper()
	client, registry := fake.NewClientset(), &target.Registry{}
	open := labels.Set{v1alpha1.LabelBurst: v1alpha1.BurstEnabled}
	plugin := schedulerplugin.New(schedulerplugin.Options{SourceCluster: "here", Registry: registry, Policies: policies.NewStore(),
		Clock: clock.RealClock{}, Follow: nobody{}, Namespaces: func(string) (labels.Set, bool) { return open, true }})
	registry.AddListener(plugin)
	s, err := New(b.Context(), client, dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()), NewInformers(client), plugin, registry)
	require.NoError(b, err)
	w := &benchWorld{framework: s.Profiles[v1alpha1.SchedulerName]}
	server := httptest.NewServer(http.HandlerFunc(serveTarget))
	b.Cleanup(server.Close)
	for i := range benchTargets {
		t := benchTarget(b, fmt.Sprintf("target-%d", i), server.URL)
		registry.Add(t)
		t.SetOpen(true)
		t.Start(b.Context(), time.Hour)
		b.Cleanup(t.Stop)
		require.Eventually(b, func() bool { _, ok := t.Usable(); return ok }, time.Minute, time.Millisecond)
		info := framework.NewNodeInfo()
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: t.NodeName(), Labels: map[string]string{v1alpha1.LabelTarget: t.Name()}}})
		w.nodes = append(w.nodes, info)
	}
	return w
}

func benchTarget(b *testing.B, name, url string) *target.Target {
	t, err := target.New(target.Options{
		Object: &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TargetSpec{
			Labels: map[string]string{corev1.LabelTopologyRegion: "uk"}}},
		SourceCluster: "here", Config: &rest.Config{Host: url, QPS: -1}, Notify: func(string) {},
	})
	require.NoError(b, err)
	return t
}

// nobody follows: the pods of the benchmark reference nothing.
type nobody struct{ schedulerplugin.Follower }

// filter runs what the scheduler runs, up to Filter, and returns the cycle's state and the last node that takes the pod.
func (w *benchWorld) filter(b *testing.B, pod *corev1.Pod) (fwk.CycleState, string) {
	state, fits := framework.NewCycleState(), ""
	if _, status, _ := w.framework.RunPreFilterPlugins(b.Context(), state, pod); !status.IsSuccess() {
		b.Fatal(status.AsError())
	}
	for _, node := range w.nodes {
		if status := w.framework.RunFilterPlugins(b.Context(), state, pod, node); status.IsSuccess() {
			fits = node.Node().Name
		}
	}
	return state, fits
}

func (w *benchWorld) place(b *testing.B, pod *corev1.Pod) time.Duration {
	start := time.Now()
	state, node := w.filter(b, pod)
	took := time.Since(start)
	if node == "" {
		b.Fatal("no target takes the pod")
	}
	if status := w.framework.RunReservePluginsReserve(b.Context(), state, pod, node); !status.IsSuccess() {
		b.Fatal(status.AsError())
	}
	return took
}

// measure reports the filtering alone, by percentile: the slowest pod is the one that people wait for.
func (w *benchWorld) measure(b *testing.B, pod func(int) *corev1.Pod) {
	b.ReportAllocs()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		took = append(took, w.place(b, pod(i)))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func benchPod(i int, cpu string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprintf("uid-%d", i)),
			Annotations: map[string]string{v1alpha1.AnnotationElect: ""},
			Labels:      map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue, "app": "web"}},
		Spec: corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName, Containers: []corev1.Container{{Name: "main", Image: "web",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("256Mi")}}}}},
	}
}

// serveTarget answers what a target is asked: its version, our rights, and lists and watches that never change.
func serveTarget(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	watching := r.URL.Query().Get("watch") != ""
	switch {
	case watching && r.URL.Query().Get("sendInitialEvents") != "": // so that the client lists
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer(w, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
	case watching:
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case r.URL.Path == "/version":
		answer(w, version.Info{GitVersion: "v1.37.1"})
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		answer(w, authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}})
	case r.URL.Path == "/api/v1/nodes":
		answer(w, benchNodeList())
	case r.URL.Path == "/api/v1/pods":
		answer(w, benchPodList())
	}
}

func answer(w http.ResponseWriter, object any) {
	_ = json.NewEncoder(w).Encode(object) // the client sees what is missing
}

func benchNodeList() corev1.NodeList {
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("128Gi"), corev1.ResourcePods: resource.MustParse("110")}
	list := corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for i := range benchNodes {
		name := fmt.Sprintf("node-%d", i)
		list.Items = append(list.Items, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
			Status: corev1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}})
	}
	return list
}

// benchPodList fills every fifth node, and the others to a quarter.
func benchPodList() corev1.PodList {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for i := range benchNodes {
		cpu := "8"
		if i%5 == 0 {
			cpu = "32"
		}
		pod := benchPod(i, cpu)
		pod.Labels, pod.Spec.NodeName = nil, fmt.Sprintf("node-%d", i)
		list.Items = append(list.Items, *pod)
	}
	return list
}
