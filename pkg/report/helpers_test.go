package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 20, 21, 42, 51, 0, time.UTC)

// golden compares what write writes with testdata/name.golden.
func golden(t *testing.T, name string, write func(*bytes.Buffer) error) {
	t.Helper()
	var got bytes.Buffer
	require.NoError(t, write(&got))
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func heata() placement.RecordPlace {
	return placement.RecordPlace{Name: "heata", Feasible: true, CostPerHour: "0.023", Currency: "GBP", GramsPerHour: "0.0633",
		GramsPerKWh: "120", Scores: placement.RecordScores{Cost: "1", Carbon: "1", Capacity: "1", Total: 100}, Tier: 1}
}

func cloud() placement.RecordPlace {
	return placement.RecordPlace{Name: "cloud", Feasible: true, CostPerHour: "0.051", Currency: "GBP", GramsPerHour: "1.055",
		GramsPerKWh: "350", Scores: placement.RecordScores{Cost: "0.451", Carbon: "0.06", Capacity: "1", Total: 50}, Tier: 1}
}

func local() placement.RecordPlace {
	return placement.RecordPlace{Name: "local", Local: true, Feasible: true, CostPerHour: "0.034", Currency: "GBP", GramsPerHour: "0.5132",
		GramsPerKWh: "180", Scores: placement.RecordScores{Cost: "0.6765", Carbon: "0.1233", Capacity: "0", Total: 63}}
}

func refused(place placement.RecordPlace, reason string) placement.RecordPlace {
	return placement.RecordPlace{Name: place.Name, Local: place.Local, Reason: reason}
}

func record(target string, places ...placement.RecordPlace) placement.Record {
	node := v1alpha1.VirtualNodeName(target)
	if target == "" {
		node = "source-1"
	}
	return placement.Record{Target: target, Node: node, Policy: "built-in", Mode: v1alpha1.ModeLocalFirst, At: metav1.NewTime(now), Places: places}
}

// placed is an elected pod that was bound as the record says.
func placed(t *testing.T, name string, r placement.Record) corev1.Pod {
	t.Helper()
	encoded, err := r.Encode()
	require.NoError(t, err)
	p := elected(name)
	p.Annotations[v1alpha1.AnnotationPlacement], p.Spec.NodeName, p.Status.Phase = encoded, r.Node, corev1.PodRunning
	return p
}

func elected(name string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: name,
			Labels:      map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue},
			Annotations: map[string]string{v1alpha1.AnnotationElect: ""}},
		Spec:   corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}

func pending(name, message string) corev1.Pod {
	p := elected(name)
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}
	return p
}

func readyTarget(name string) v1alpha1.Target {
	return v1alpha1.Target{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Status: v1alpha1.TargetStatus{
			ObservedGeneration: 1, Nodes: 4, Pods: 3,
			Free:    corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("30500m"), corev1.ResourceMemory: resource.MustParse("125Gi")},
			Signals: v1alpha1.SignalStatus{Price: "GBP 0.02", GramsPerKWh: "120"},
			Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReachable, metav1.ConditionTrue, "Reachable", "https://heata.example answers"),
				condition(v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "Authorized", "the kubeconfig's user may do all that is needed"),
				condition(v1alpha1.ConditionCapacityKnown, metav1.ConditionTrue, "Watching", "4 nodes take pods"),
				condition(v1alpha1.ConditionSignalsFresh, metav1.ConditionTrue, "SignalsInForce", "price GBP 0.02 per core hour, 120 gCO2e/kWh"),
				condition(v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready", "pods may go there"),
			},
		},
	}
}

func brokenTarget(name string) v1alpha1.Target {
	const message = "Secret spillway-system/cloud does not exist: create it with the target's kubeconfig under key \"kubeconfig\""
	return v1alpha1.Target{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Status: v1alpha1.TargetStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionReachable, metav1.ConditionFalse, "KubeconfigMissing", message),
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, "KubeconfigMissing", message),
		}},
	}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}
